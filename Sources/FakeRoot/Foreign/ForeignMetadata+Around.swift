internal import LinuxFiles

/// For a command that is told a file and not where its tree begins.
extension ForeignMetadata {
    /// Looks at a file, at what is in it, at the files beside it and at the directories above it.
    ///
    /// A directory above is looked into only if it looks like a root filesystem: another tree beside the file's own says nothing
    /// about it.
    /// - Parameters:
    ///   - names: of the absolute path.
    ///   - isParentKnown: whether nothing was found for another file of the same directory: what lies beside this one is not
    ///     looked at again then.
    /// - Returns: also the outermost directory that is known to have the tool's metadata, as an absolute path.
    public static func find(
        around names: [String],
        isParentKnown: Bool = false
    ) -> (found: ForeignMetadata, directory: String)? {
        guard let last = names.last else { return find(in: "/").map { ($0, "/") } }
        let names = real(names.dropLast(), last)
        let (path, parent) = (path(names[...]), path(names.dropLast()))
        var (result, label) = findAbove(names)
        let isDirectory = (try? System.open(path, [.path, .directory])) != nil
        if isDirectory {
            if result == nil, let inside = find(in: path, prefix: prefix(path)) { result = (inside, path) }
        } else if !isParentKnown, let beside = findBeside(parent) {
            label = label ?? beside.label
            if result == nil, let found = beside.found { result = (found, parent) }
        }
        if let root = findInRoots(above: names, maxLevels: isParentKnown ? 1 : maxLevels) {
            // The outermost one: the import of a part would leave the rest behind.
            result = (result?.found ?? root.found, root.directory)
            label = label ?? root.found.label
        }
        guard var result else { return nil }
        result.found.label = result.found.label ?? label
        return result
    }

    /// The path with all symbolic links resolved except the last name: like the board, the tool has seen only this one.
    private static func real(_ parent: ArraySlice<String>, _ last: String) -> [String] {
        var names = Array(parent)
        if let opened = try? System.open(path(parent), [.path, .directory]),
            let found = try? System.currentPath(of: opened.raw), let text = String(validating: found, as: UTF8.self)
        {
            names = text.split(separator: "/").map(String.init)
        }
        return names + [last]
    }

    private static func path(_ names: ArraySlice<String>) -> String { "/" + names.joined(separator: "/") }

    /// What the file itself and the directories above it have.
    /// - Returns: also the first label of ours on the way.
    private static func findAbove(
        _ names: [String]
    ) -> (result: (found: ForeignMetadata, directory: String)?, label: String?) {
        var result: (found: ForeignMetadata, directory: String)?
        var label: String?
        var trust: FileTrust?
        for count in stride(from: names.count, through: 1, by: -1) {
            let path = path(names[..<count])
            guard let opened = try? System.open(path, [.path, .noFollow]), let host = try? System.status(of: opened.raw)
            else { continue }
            let isDirectory = host.format == .directory
            if trust == nil, isDirectory { trust = try? FileTrust(root: opened.raw) }
            var survey = AttributeSurvey(trust ?? FileTrust.ofProcess)
            survey.look(at: opened.raw, host, printable(path))
            if isDirectory { survey.lookForMetadata(in: opened.raw, printable(path)) }
            label = label ?? survey.label
            if let found = (isDirectory ? filesBeside(path).first : nil) ?? survey.found {
                result = (result?.found ?? found, isDirectory ? path : self.path(names[..<(count - 1)]))
            }
            // Metadata above a directory of ours are not about it.
            if isDirectory, survey.label != nil, result == nil { break }
        }
        return (result, label)
    }

    /// What the plain files of a directory have.
    private static func findBeside(_ directory: String) -> (found: ForeignMetadata?, label: String?)? {
        guard let opened = try? System.open(directory, [.readOnly, .directory]),
            let trust = try? FileTrust(root: opened.raw)
        else { return nil }
        var survey = AttributeSurvey(trust)
        survey.look(at: opened, maxFiles: maxFiles, directories: [], prefix: prefix(directory))
        return (survey.found, survey.label)
    }

    /// How many directories upward a tree's root is looked for.
    private static let maxLevels = 40

    /// Looks into the directories above a file, itself included, that look like root filesystems. Those of other users and
    /// file systems, and what is above them, are not looked at: no tree goes on there.
    /// - Returns: the outermost one in which something is found.
    private static func findInRoots(
        above names: [String],
        maxLevels: Int
    ) -> (found: ForeignMetadata, directory: String)? {
        var result: (found: ForeignMetadata, directory: String)?
        var first: FileStatus?
        for count in stride(from: names.count, to: max(0, names.count - maxLevels), by: -1) {
            // The host's own /usr and /var are like root filesystems too.
            if count == 1, rootNames.contains(Array(names[0].utf8)) { break }
            let path = path(names[..<count])
            guard let opened = try? System.open(path, [.path, .directory, .noFollow]),
                let host = try? System.status(of: opened.raw)
            else { continue }
            let start = first ?? host
            first = start
            guard host.device == start.device, [start.uid, System.effectiveUser].contains(host.uid) else { break }
            guard isRootFilesystem(opened.raw), let trust = try? FileTrust(root: opened.raw) else { continue }
            var survey = AttributeSurvey(trust)
            survey.look(at: opened, maxFiles: maxFiles, directories: rootNames, prefix: prefix(path))
            guard var found = survey.found else { continue }
            found.label = survey.label
            result = (found, path)
        }
        return result
    }

    private static func prefix(_ directory: String) -> String {
        printable(directory) + (directory.hasSuffix("/") ? "" : "/")
    }

    /// The directories of a root filesystem; the source is the Filesystem Hierarchy Standard 3.0.
    private static let rootNames: Set<[UInt8]> = Set(
        [
            "bin", "boot", "dev", "etc", "home", "lib", "media", "mnt", "opt", "root", "run", "sbin", "srv", "sys",
            "usr", "var",
        ]
        .map { (name: String) in Array(name.utf8) }
    )

    /// Whether a directory has an etc, or two of the others.
    private static func isRootFilesystem(_ directory: CInt) -> Bool {
        func has(_ name: [UInt8]) -> Bool {
            guard let name = try? FileName(name.span.bytes) else { return false }
            return name.withCString { (name) in (try? System.open(at: directory, name, [.path, .directory])) != nil }
        }
        return has(Array("etc".utf8)) || rootNames.lazy.filter(has).prefix(2).count == 2
    }
}
