internal import ArgumentParser
import FakeRoot
import P9Server
import ServedTree
import TestSupport
import Testing

@testable import CommandSupport

/// What is exported, by the command line.
@Suite("Export options")
struct ExportOptionsTests {
    private let files: TemporaryDirectory

    init() throws {
        files = try TemporaryDirectory()
        for name in ["root", "home", "srv"] { try files.makeDirectory(name) }
    }

    private func open(_ directory: String, _ arguments: String...) throws -> [Export] {
        try ExportOptions.parse(arguments).open(default: files.file(directory))
    }

    private func failure(_ directory: String, _ arguments: String...) -> CommandFailure? {
        do {
            _ = try ExportOptions.parse(arguments).open(default: files.file(directory))
            return nil
        } catch {
            return error as? CommandFailure
        }
    }

    @Test("the default export is the first, without a name; the others follow in their order")
    func names() throws {
        let exports = try open("root", "--export", "home=\(files.file("home"))", "--export", "a=\(files.file("srv"))")
        #expect(exports.map(\.name) == ["", "home", "a"])
        #expect(exports.allSatisfy { !$0.isReadOnly })
    }

    @Test("read-only is for all of them")
    func readOnly() throws {
        #expect(try open("root", "--read-only", "--export", "home=\(files.file("home"))").allSatisfy(\.isReadOnly))
    }

    @Test("a directory may have an equals sign in it")
    func equalsSign() throws {
        try files.makeDirectory("a=b")
        #expect(try open("root", "--export", "x=\(files.file("a=b"))").map(\.name) == ["", "x"])
    }

    @Test("what is not NAME=DIR is refused", arguments: ["home", "=dir", "home=", "a/b=dir"])
    func malformed(text: String) {
        let failure = failure("root", "--export=\(text)")
        #expect(failure?.cause == .badInput)
        #expect(failure?.message.hasSuffix("is not NAME=DIR") == true)
        #expect(failure?.advice == "Example: --export home=/srv/home")
    }

    @Test("two exports of one name are refused")
    func twice() {
        let home = "home=\(files.file("home"))"
        #expect(
            failure("root", "--export", home, "--export", home)?.message == "there are two exports with the name 'home'"
        )
    }

    @Test("a directory that is not there, or is none")
    func missing() throws {
        let missing = failure("nowhere")
        #expect(missing?.cause == .notFound)
        #expect(missing?.message == "there is no directory \(files.file("nowhere"))")
        #expect(missing?.advice?.contains("p9serve import rootfs.tar") == true)
        try files.write("archive.tar", "")
        let file = failure("archive.tar")
        #expect(file?.cause == .badInput)
        #expect(file?.message == "\(files.file("archive.tar")) is not a directory")
        #expect(failure("root", "--export", "x=\(files.file("nowhere"))")?.cause == .notFound)
    }

    @Test("one with another tool's metadata is refused, unless it is to be served as it is")
    func foreign() throws {
        try files.write("root/file", "")
        try files.setAttribute("root/file", "user.rsync.%stat", "100644 0,0 0:0")
        let failure = failure("root")
        #expect(failure?.cause == .badInput)
        #expect(failure?.message.contains("rsync --fake-super") == true)
        #expect(failure?.advice?.contains("--as-is") == true)
        #expect(try open("root", "--as-is").count == 1)
    }
}

/// The failures that a command's users see.
@Suite("Failures")
struct FailureTests {
    @Test("the exit codes are what they always were")
    func codes() {
        #expect(
            ExitCause.allCases.map { "\($0) \($0.rawValue)" } == [
                "success 0", "failure 1", "notFound 3", "permission 4", "busy 5", "timeout 6", "deviceGone 7",
                "serverError 8", "badInput 64", "interrupted 130",
            ]
        )
    }

    @Test("a command's help lists the codes that it may end with, in their order")
    func help() {
        #expect(
            ExitCause.help(.deviceGone, .busy) == """
                Exit codes:
                    0  success
                    1  any other failure
                    5  in use by another process
                    7  the board is gone or needs a reboot
                   64  wrong arguments or malformed input
                  130  ended by Ctrl-C, SIGTERM or SIGHUP before it was done
                """
        )
        #expect(ExitCause.help.split(separator: "\n").count == ExitCause.allCases.count + 1)
    }
}
