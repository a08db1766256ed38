public import LinuxFiles

/// A directory with what Raspberry Pis load: boot code, firmware, config.txt, boot.img.
///
/// A name is looked for in this order:
/// 1. `PORT/NAME`, for one board only; not the boot ROM's file, which depends only on the processor
/// 2. `2710/NAME`, `2711/NAME` or `2712/NAME`, by processor
/// 3. the same as a member of `bootfiles.bin`
/// 4. `NAME`
///
/// Only files of the directory are opened, even if a board's names or symbolic links lead out of it.
public final class BootDirectory: Sendable {
    /// As the user gave it.
    public let path: String
    private let directory: OwnedDescriptor

    /// The tar archive with boot code for several chips.
    public static let archiveName = "bootfiles.bin"

    /// Opens a directory of boot files.
    /// - Throws: what `open(2)` says.
    public init(_ path: String) throws(Errno) {
        self.path = path
        directory = try System.open(path, [.readOnly, .directory])
    }

    /// What looking for a name has found.
    public enum Lookup {
        case found(BootFile)
        case missing
        /// There is something, which the board can't have.
        case refused(Refusal)
    }

    /// Why the board can't have a file.
    public enum Refusal: Hashable, Sendable {
        /// The name is absolute or has "..", or a symbolic link leads out of the directory.
        case outside(String)
        /// A directory, a socket, a device.
        case notAFile(String)
        /// 2 GiB or more: a board's sizes are signed 32-bit numbers.
        case tooLarge(String)
        /// What `open(2)` or `stat(2)` says, such as EACCES.
        case unreadable(String, Errno)
        /// `bootfiles.bin` is not a tar archive, or it is damaged.
        case damagedArchive
    }

    /// Looks for a file.
    /// - Parameter port: the board's, such as "1-1.3"; nil for what is the same at every port.
    public func find(_ name: [UInt8], for chip: BootChip, at port: String?) -> Lookup {
        let isBootcode = name.elementsEqual(chip.bootcode.utf8)
        if !isBootcode, let port, let answer = open(Array("\(port)/".utf8) + name) { return answer }
        let ofChip = Array("\(chip.directory)/".utf8) + name
        if let answer = open(ofChip) { return answer }
        if let answer = openMember(ofChip) { return answer }
        return open(name) ?? .missing
    }

    /// As `find` of the bytes in UTF-8.
    public func find(_ name: String, for chip: BootChip, at port: String?) -> Lookup {
        find(Array(name.utf8), for: chip, at: port)
    }

    /// A file at the top of the directory, whatever board is meant; nil if there is none that can be sent.
    func file(_ name: String) -> BootFile? {
        guard case .found(let file) = open(Array(name.utf8)) else { return nil }
        return file
    }

    /// The processors that the directory has boot code for.
    public var chips: [BootChip] {
        BootChip.allCases.filter { chip in
            if case .found = find(chip.bootcode, for: chip, at: nil) { true } else { false }
        }
    }

    /// The signature that the boot ROM of older processors wants with a signed `bootcode.bin`, from `bootcode.sig`.
    /// - Returns: nil if there is none.
    func signature(for chip: BootChip) -> [UInt8]? {
        guard chip == .bcm2837, case .found(let file) = find("bootcode.sig", for: chip, at: nil),
            file.size == BootHeader.signatureSize
        else { return nil }
        return try? file.content()
    }

    /// - Returns: nil if there is nothing of this name.
    private func open(_ path: [UInt8]) -> Lookup? {
        let text = String(decoding: path, as: UTF8.self)
        do throws(Errno) {
            let file = try Self.open(directory.raw, path)
            let status = try System.status(of: file.raw)
            guard status.format == .regular else { return .refused(.notAFile(text)) }
            guard status.size <= BootFile.maximumSize else { return .refused(.tooLarge(text)) }
            return .found(BootFile(file, 0..<status.size, origin: text))
        } catch {
            switch error {
            case .ENOENT, .ENOTDIR, .ENAMETOOLONG: return nil
            case .EXDEV, .ELOOP: return .refused(.outside(text))
            // A socket, and a device without a driver.
            case .ENXIO, .ENODEV: return .refused(.notAFile(text))
            default: return .refused(.unreadable(text, error))
            }
        }
    }

    private func openMember(_ name: [UInt8]) -> Lookup? {
        let text = String(decoding: name, as: UTF8.self)
        do throws(Errno) {
            let archive = try Self.open(directory.raw, Array(Self.archiveName.utf8))
            let status = try System.status(of: archive.raw)
            guard status.format == .regular else { return .refused(.notAFile(Self.archiveName)) }
            do throws(BootArchive.Damage) {
                let range = try BootArchive(descriptor: archive.raw, size: status.size).member(name)
                guard let range else { return nil }
                guard range.upperBound - range.lowerBound <= BootFile.maximumSize else {
                    return .refused(.tooLarge(text))
                }
                return .found(BootFile(archive, range, origin: "\(text) in \(Self.archiveName)"))
            } catch {
                return .refused(.damagedArchive)
            }
        } catch {
            switch error {
            case .ENOENT: return nil
            case .EXDEV, .ELOOP: return .refused(.outside(Self.archiveName))
            default: return .refused(.unreadable(Self.archiveName, error))
            }
        }
    }

    /// Neither waits for a pipe's writer nor follows a link out of the directory.
    private static func open(_ directory: CInt, _ path: [UInt8]) throws(Errno) -> OwnedDescriptor {
        // From a message, whose names end at the first NUL.
        let path = path.map { CChar(bitPattern: $0) } + [0]
        return try path.span.withUnsafeBufferPointer { (path) throws(Errno) in
            guard let base = path.baseAddress else { preconditionFailure("a C string has its NUL") }
            let flags: OpenMode = [.readOnly, .nonBlocking, .noControllingTerminal]
            return try System.open(followingBeneath: directory, base, flags)
        }
    }
}
