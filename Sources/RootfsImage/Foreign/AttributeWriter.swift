internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Writes rsync's or QEMU's extended attributes. Both keep symbolic links, device nodes, FIFOs and sockets as regular
/// files.
///
/// The attribute that tells the mode is written last: who finds it finds all.
final class AttributeWriter: MetadataWriter {
    enum Form {
        case rsync
        case virtfs
    }

    private let form: Form

    init(_ form: Form) {
        self.form = form
    }

    /// Where an attribute is kept and with which value; nil if it can't be kept.
    private func kept(_ attribute: ImageEntry.Attribute) -> ImageEntry.Attribute? {
        func named(_ name: [UInt8], _ value: [UInt8]) -> ImageEntry.Attribute {
            ImageEntry.Attribute(name: name, value: value)
        }
        if attribute.name.starts(with: "user.".utf8) {
            return HostAttributes.isToolName(attribute.name) ? nil : attribute
        }
        let isDefault = attribute.name == AccessControlList.defaultName
        let isACL = isDefault || attribute.name == AccessControlList.accessName
        switch form {
        case .virtfs:
            return isACL ? named(Array(VirtfsReader.prefix.utf8) + attribute.name, attribute.value) : nil
        case .rsync where isACL:
            guard let value = RsyncACL.encode(attribute.value, isDefault: isDefault) else { return nil }
            return named(Array("\(RsyncReader.prefix)\(isDefault ? "%dacl" : "%aacl")".utf8), value)
        case .rsync:
            return named(Array(RsyncReader.prefix.utf8) + attribute.name, attribute.value)
        }
    }

    func losses(of file: ForeignFile) -> ConversionLosses {
        var losses = ConversionLosses()
        if file.isFirst { losses.attributes = file.metadata.attributes.count { kept($0) == nil } }
        return losses
    }

    var reader: (any MetadataReader)? { form == .rsync ? RsyncReader() : VirtfsReader() }

    private var lastName: String { form == .rsync ? RsyncReader.status : VirtfsReader.mode }

    func hasDescribed(_ file: ForeignFile) throws(ImageError) -> Bool {
        guard try replacement(of: file) == .keep else { return false }
        let descriptor = try file.requireDescriptor()
        do throws(Errno) {
            _ = try HostAttributes.read(Array(lastName.utf8), of: descriptor)
            return true
        } catch .ENODATA {
            return false
        } catch {
            throw ImageError("can't read the attributes of \(file.description)", error)
        }
    }

    func describe(_ file: ForeignFile) throws(ImageError) -> Int {
        guard file.isFirst, try replacement(of: file) == .keep else { return 0 }
        return try write(file.metadata, to: file.requireDescriptor(), file.description)
    }

    private func write(_ metadata: FileMetadata, to descriptor: CInt, _ description: String) throws(ImageError) -> Int {
        var lost = 0
        do throws(Errno) {
            for attribute in metadata.attributes {
                guard let kept = kept(attribute) else { continue }
                do throws(Errno) {
                    try HostAttributes.write(kept.name, kept.value, to: descriptor)
                } catch {
                    guard isNoRoom(error, for: kept.value) else { throw error }
                    lost += 1
                }
            }
            for (name, value) in numbers(metadata) {
                try HostAttributes.write(Array(name.utf8), value, to: descriptor)
            }
        } catch {
            throw ImageError("can't write the metadata of \(description)", error)
        }
        return lost
    }

    private func numbers(_ metadata: FileMetadata) -> [(name: String, value: [UInt8])] {
        let mode = metadata.kind.format.rawValue | metadata.permissions
        var device: (major: UInt32, minor: UInt32)?
        switch metadata.kind {
        case .block(let major, let minor), .character(let major, let minor): device = (major, minor)
        default: break
        }
        switch form {
        case .rsync:
            let numbers = "\(device?.major ?? 0),\(device?.minor ?? 0) \(metadata.owner.uid):\(metadata.owner.gid)"
            return [(RsyncReader.status, Array("\(String(mode, radix: 8)) \(numbers)".utf8))]
        case .virtfs:
            func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
                var bytes: [UInt8] = []
                bytes.appendLittleEndian(number)
                return bytes
            }
            var result = [
                (name: VirtfsReader.uid, value: bytes(metadata.owner.uid)),
                (name: VirtfsReader.gid, value: bytes(metadata.owner.gid)),
            ]
            if device != nil {
                result.append((VirtfsReader.device, bytes(metadata.kind.encodedDevice)))
            }
            return result + [(VirtfsReader.mode, bytes(mode))]
        }
    }

    func replacement(of file: ForeignFile) throws(ImageError) -> Replacement {
        file.format == .regular || file.format == .directory ? .keep : .replace
    }

    func replace(_ file: ForeignFile, as name: borrowing FileName, in directory: CInt) throws(ImageError) {
        let action = "can't make a file in the place of \(file.description)"
        let new = try ImageError.attempt(action) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in
                try System.open(at: directory, name, [.readWrite, .create, .exclusive, .noFollow], mode: 0o600)
            }
        }
        if file.metadata.kind == .symlink {
            let target = file.target
            try ImageError.attempt(action) { () throws(Errno) in
                guard try System.write(new.raw, target.span.bytes, at: 0) == target.count else { throw .ENOSPC }
            }
        }
        _ = try write(file.metadata, to: new.raw, file.description)
    }
}
