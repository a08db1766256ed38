import LinuxFiles
import TestSupport
import Testing

@testable import RPiBoot

@Suite("Answers to a bootloader")
struct FileServerTests {
    private let files: TemporaryDirectory
    private let directory: BootDirectory

    init() throws {
        files = try TemporaryDirectory()
        try files.write("config.txt", "boot_ramdisk=1\n")
        try files.write("empty", "")
        directory = try BootDirectory(files.path)
    }

    private func server(_ notify: @escaping (BootEvent) -> Void = { _ in }) -> FileServer {
        FileServer(directory, chip: .bcm2711, port: "1-1", notify: notify)
    }

    private func ask(_ server: inout FileServer, _ command: FileMessage.Command, _ name: String) throws -> String {
        let bytes = [UInt8(command.rawValue), 0, 0, 0] + Array(name.utf8) + [0]
        switch server.answer(try FileMessage(decoding: bytes.span.bytes)) {
        case .length(let length): return "length \(length)"
        case .content(let file): return String(decoding: try file.content(), as: UTF8.self)
        case .end(let acknowledged): return acknowledged ? "end, acknowledged" : "end"
        }
    }

    @Test func aSession() throws {
        var server = server()
        #expect(try ask(&server, .size, "config.txt") == "length 15")
        #expect(try ask(&server, .read, "config.txt") == "boot_ramdisk=1\n")
        #expect(try ask(&server, .size, "boot.img") == "length 0")
        #expect(try ask(&server, .read, "boot.img") == "length 0")
        #expect(try ask(&server, .size, "empty") == "length 0")
        #expect(try ask(&server, .read, "empty") == "")
        #expect(server.missing == ["boot.img"])
        #expect(try ask(&server, .done, "") == "end")
        #expect(try ask(&server, .done, "config.txt") == "end")
        #expect(try ask(&server, .size, "") == "end, acknowledged")
        #expect(try ask(&server, .read, "") == "end, acknowledged")
    }

    @Test func hostileNamesAreNotFound() throws {
        var refused: [String] = []
        var server = server { if case .refused(let name, _) = $0 { refused.append(name) } }
        let names = ["../config.txt", "/etc/passwd", "a/../config.txt", "..", "."]
        for name in names {
            #expect(try ask(&server, .size, name) == "length 0")
            #expect(try ask(&server, .read, name) == "length 0")
        }
        #expect(refused == names)
    }

    @Test func aReadHasTheSizeThatWasTold() throws {
        var server = server()
        #expect(try ask(&server, .size, "config.txt") == "length 15")
        try files.write("new", "something that is longer by far\n")
        #expect(try run("mv", files.file("new"), files.file("config.txt")).status == 0)
        #expect(try ask(&server, .read, "config.txt") == "boot_ramdisk=1\n")
        #expect(try ask(&server, .read, "config.txt") == "something that is longer by far\n")
        // The size of one file does not count for another one.
        #expect(try ask(&server, .size, "empty") == "length 0")
        #expect(try ask(&server, .read, "config.txt") == "something that is longer by far\n")
    }

    @Test func metadataIsNoFile() throws {
        try files.write("*FACTORY*x", "a file all the same")
        var server = server()
        #expect(try ask(&server, .size, "*BOARD*c03112") == "length 0")
        #expect(try ask(&server, .read, "*FACTORY*x") == "length 0")
        #expect(server.metadata.map(\.property) == ["BOARD", "FACTORY"])
        #expect(server.metadata.map(\.value) == ["c03112", "x"])
        #expect(server.missing.isEmpty)
        #expect(try ask(&server, .done, "*BOARD*c03112") == "end")
    }

    @Test func aFloodFillsNoMemory() throws {
        var events = 0
        var server = server { if case .missing = $0 { events += 1 } }
        for number in 0..<3000 {
            #expect(try ask(&server, .size, "name-\(number)") == "length 0")
            #expect(try ask(&server, .size, "*A*\(number)") == "length 0")
        }
        #expect(server.missing.count == 1000 && server.metadata.count == 1000 && events == 1000)
    }
}
