internal import CExt2FS
internal import ImageEntries

/// Extended attributes of files in an image: in the inode, in a block of their own, and values in inodes of their own.
extension Ext4Volume {
    /// All of a file's; POSIX ACLs in Linux' own form.
    /// - Parameter inlineData: set to what an inode has of inline data behind the first 60 bytes.
    func attributes(of inode: Ext4Inode, inlineData: inout [UInt8]) throws(ImageError) -> [ImageEntry.Attribute] {
        var attributes: [ImageEntry.Attribute] = []
        let start = 128 + inode.extraSize
        if inode.extraSize >= 4, start + 8 <= inode.bytes.count,
            inode.bytes.littleEndian32(at: start) == Ext4AttributeFormat.magic
        {
            let region = Array(inode.bytes[(start + 4)...])
            try read(region, from: 0, inode, &attributes, &inlineData)
        }
        if inode.attributeBlock != 0 {
            let block = try readAttributeBlock(inode)
            try read(block, from: Ext4AttributeFormat.blockHeaderSize, inode, &attributes, &inlineData)
        }
        return attributes
    }

    private func readAttributeBlock(_ inode: Ext4Inode) throws(ImageError) -> [UInt8] {
        let number = inode.attributeBlock
        guard contains(number, count: 1) else { throw damaged("there is no block \(number)") }
        var block = [UInt8](repeating: 0, count: blockSize)
        let code = block.withUnsafeMutableBytes {
            ext2fs_read_ext_attr3(library, number, $0.baseAddress, inode.number)
        }
        guard code == 0 else { throw .ext4("can't read the attributes of inode \(inode.number)", code, check: check) }
        guard block.littleEndian32(at: 0) == Ext4AttributeFormat.magic else { throw wrongAttributes(inode) }
        return block
    }

    /// - Parameters:
    ///   - bytes: what the offsets of values count from.
    ///   - start: of the first entry.
    private func read(
        _ bytes: [UInt8],
        from start: Int,
        _ inode: Ext4Inode,
        _ attributes: inout [ImageEntry.Attribute],
        _ inlineData: inout [UInt8]
    ) throws(ImageError) {
        var position = start
        // Four zeros end the list; they may be missing where it ends with the space.
        while position + 4 <= bytes.count, bytes.littleEndian32(at: position) != 0 {
            let nameLength = Int(bytes[position])
            let nameStart = position + Ext4AttributeFormat.entrySize
            guard nameStart + nameLength <= bytes.count else { throw wrongAttributes(inode) }
            let value = try value(bytes, entry: position, inode)
            if let prefix = Ext4AttributeFormat.prefix(bytes[position + 1]) {
                let name = Array(prefix.utf8) + bytes[nameStart..<nameStart + nameLength]
                if name == Ext4AttributeFormat.inlineData {
                    inlineData = value
                } else {
                    attributes.append(try attribute(name, value, inode))
                    let total = attributes.reduce(0) { $0 + $1.value.count }
                    guard total <= Self.maxAttributeBytes else { throw wrongAttributes(inode) }
                }
            }
            position = nameStart + (nameLength + 3) & ~3
        }
    }

    /// All values of one file; Linux lists no more than 64 KiB of names.
    private static let maxAttributeBytes = 4 << 20

    private func value(_ bytes: [UInt8], entry: Int, _ inode: Ext4Inode) throws(ImageError) -> [UInt8] {
        let offset = Int(bytes.littleEndian16(at: entry + 2))
        let holder = bytes.littleEndian32(at: entry + 4)
        let size = Int(bytes.littleEndian32(at: entry + 8))
        guard holder != 0 else {
            guard size <= bytes.count, offset <= bytes.count - size else { throw wrongAttributes(inode) }
            return Array(bytes[offset..<offset + size])
        }
        let other = try self.inode(holder)
        guard other.has(Ext4Inode.Flags.attributeValue), !other.has(Ext4Inode.Flags.inlineData),
            other.size == UInt64(size)
        else { throw wrongAttributes(inode) }
        return try content(of: other, limit: Ext4AttributeFormat.maxValueSize, isShared: true)
    }

    private func attribute(
        _ name: [UInt8],
        _ value: [UInt8],
        _ inode: Ext4Inode
    ) throws(ImageError) -> ImageEntry.Attribute {
        guard !name.contains(0) else { throw wrongAttributes(inode) }
        guard name == Ext4AttributeFormat.accessACL || name == Ext4AttributeFormat.defaultACL else {
            return ImageEntry.Attribute(name: name, value: value)
        }
        guard let list = Ext4AttributeFormat.linuxACL(fromExt4: value) else { throw wrongAttributes(inode) }
        return ImageEntry.Attribute(name: name, value: list)
    }

    private func wrongAttributes(_ inode: Ext4Inode) -> ImageError {
        damaged("the extended attributes of inode \(inode.number) are wrong")
    }
}
