import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// A tree there and back again, with the tools to whom the representations belong as judges.
@Suite struct ConversionTests {
    /// Makes a tree of ours with everything in it.
    private func make(_ fixture: ForeignFixture, _ name: String = "root") throws {
        try fixture.shell("mkdir \(name)")
        let tree = try FakeRootTree(directory: fixture.host.file(name))
        func add(_ path: String, _ body: (borrowing FileName, CInt) throws(Errno) -> Void) throws {
            let parts = path.split(separator: "/").map(String.init)
            let directory = try System.open(
                fixture.host.file(([name] + parts.dropLast()).joined(separator: "/")),
                [.path, .directory]
            )
            try body(FileName(parts[parts.count - 1]), directory.raw)
        }
        func directory(_ path: String, _ mode: UInt32, _ uid: UInt32 = 0, _ gid: UInt32 = 0) throws {
            try add(path) { (name, parent) throws(Errno) in
                try tree.createDirectory(name, in: parent, owner: Owner(uid: uid, gid: gid), permissions: mode)
            }
        }
        func file(
            _ path: String,
            _ mode: UInt32,
            _ uid: UInt32 = 0,
            _ gid: UInt32 = 0,
            _ attributes: [(String, [UInt8])] = []
        )
            throws
        {
            try add(path) { (name, parent) throws(Errno) in
                let file = try tree.createFile(name, in: parent, owner: Owner(uid: uid, gid: gid), permissions: mode)
                _ = try System.write(file.raw, Array(path.utf8).span.bytes, at: 0)
                for (name, value) in attributes {
                    try tree.setAttribute(Array(name.utf8).span.bytes, of: file.raw, to: value.span.bytes, flags: 0)
                }
            }
        }
        func special(_ path: String, _ kind: NodeKind, _ mode: UInt32, _ uid: UInt32 = 0, _ gid: UInt32 = 0) throws {
            try add(path) { (name, parent) throws(Errno) in
                try tree.createSpecial(
                    name,
                    in: parent,
                    owner: Owner(uid: uid, gid: gid),
                    permissions: mode,
                    kind: kind
                )
            }
        }
        try directory("bin", 0o755)
        try directory("dev", 0o750, 0, 6)
        try directory("tmp", 0o1777)
        try directory("ro", 0o555, 9, 9)
        try file(
            "bin/su",
            0o4755,
            0,
            0,
            [("security.capability", ForeignFixture.netRaw), ("user.foo", Array("bar".utf8))]
        )
        try file("bin/game", 0o2755, 5, 60)
        try file("ro/secret", 0o000, 1000, 100_000)
        try file("plain", 0o644)
        try special("dev/null", .character(major: 1, minor: 3), 0o666)
        try special("dev/sda300", .block(major: 8, minor: 300), 0o660, 0, 6)
        try special("dev/pipe", .pipe, 0o600, 7, 8)
        try fixture.shell(
            "ln -s su \(name)/bin/lnk; ln -s /nowhere/else \(name)/dangling; ln \(name)/bin/su \(name)/bin/sudo"
        )
        try add("bin/owned") { (name, parent) throws(Errno) in
            try tree.createSymlink(name, in: parent, target: "game", owner: Owner(uid: 5, gid: 6))
        }
        try fixture.shell("find \(name) -exec touch -h -d @1700000000 {} +")
    }

    /// Everything that must survive, a line per file.
    private func description(_ list: ForeignFixture.Listing, without lost: String = "") -> [String] {
        list.order.map { path in
            let attributes = (list.entries[path]?.attributes ?? []).map {
                "\(String(decoding: $0.name, as: UTF8.self))=\($0.value)"
            }.filter { lost.isEmpty || !$0.hasPrefix(lost) }
            let time = list.entries[path]?.modificationTime?.seconds ?? 0
            return "\(path) \(list[path] ?? "") \(time) \(attributes.sorted()) \(list.contents[path] ?? "")"
        }
    }

    private func convert(
        _ fixture: ForeignFixture,
        _ name: String = "root",
        to kind: MetadataKind,
        _ change: (inout TreeConversion.Options) -> Void = { _ in }
    ) throws(ImageError) -> ConversionSummary {
        var options = TreeConversion.Options(to: kind)
        change(&options)
        return try TreeConversion(fixture.host.file(name), options).run()
    }

    @Test(arguments: [MetadataKind.rsync, .pseudo]) func thereAndBackInPlace(_ kind: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = description(try fixture.entries("root", .overrideStat))
        #expect(before.count == 16 && before.contains { $0.hasPrefix("bin/owned 777 5:6 -> game 1700000000") })
        let there = try convert(fixture, to: kind)
        #expect(there.losses.isEmpty && there.from == .overrideStat)
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == kind)
        let between = description(try fixture.entries("root", kind))
        #expect(between == before)
        #expect(!(try fixture.shell("getfattr -R -h -d -m - root").contains("override")))
        #expect(try !fixture.host.names().contains(".root.usb9pfs.db"))
        let back = try convert(fixture, to: .overrideStat)
        #expect(back.losses.isEmpty && back.from == kind)
        #expect(description(try fixture.entries("root", .overrideStat)) == before)
        let attributes = try fixture.shell("getfattr -R -h -d -m - root")
        #expect(!attributes.contains("user.rsync") && !attributes.contains("usb9pfs.convert"))
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .overrideStat)
    }

    /// QEMU has no place for capabilities.
    @Test func virtfsAndBack() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        var failure: ImageError?
        do throws(ImageError) {
            _ = try convert(fixture, to: .virtfs) { $0.isStrict = true }
        } catch {
            failure = error
        }
        #expect(failure?.message == "QEMU mapped-xattr can't hold 1 extended attribute")
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .overrideStat)
        let expected = description(try fixture.entries("root", .overrideStat), without: "security")
        #expect(try convert(fixture, to: .virtfs).losses.sentences(for: .virtfs) == [failure?.message])
        // The numbers as QEMU would read them.
        #expect(
            try fixture.shell("getfattr --only-values -n user.virtfs.mode root/dev/null | od -An -tu4").contains(
                " 8630\n"
            )
        )
        #expect(
            try fixture.shell("getfattr --only-values -n user.virtfs.rdev root/dev/sda300 | od -An -tu8").contains(
                "1050668"
            )
        )
        #expect(try fixture.shell("cat root/bin/owned") == "game")
        #expect(description(try fixture.entries("root", .virtfs)) == expected)
        _ = try convert(fixture, to: .overrideStat)
        #expect(description(try fixture.entries("root", .overrideStat)) == expected)
    }

    /// What pseudo shows of the tree that it made, it shows after the tree went through our representation, too.
    @Test(.enabled(if: isInstalled("pseudo"))) func pseudoReportsTheSame() throws {
        let fixture = try ForeignFixture()
        try fixture.pseudo(PseudoTests.script)
        let report =
            "cd root; find . -exec stat -c '%n %a %u:%g %F %t,%T %h %N' {} + | sort; getfattr -R -h -d -m - . | sort"
        let before = try fixture.pseudo(report)
        #expect(before.split(separator: "\n").count == 18)
        _ = try Importer(
            source: fixture.host.file("root"),
            destination: fixture.host.file("imported"),
            options: {
                var options = ImportOptions()
                options.metadata = fixture.host.file("state/files.db")
                return options
            }()
        ).run()
        try fixture.shell("mkdir new")
        let summary = try convert(fixture, "imported", to: .pseudo) {
            $0.newMetadata = fixture.host.file("new/files.db")
        }
        #expect(summary.losses.isEmpty)
        let after = try fixture.pseudo(report.replacing("cd root", with: "cd imported"), state: "new")
        #expect(after.split(separator: "\n") == before.split(separator: "\n"))
        // It goes on working under pseudo: a change is kept.
        try fixture.pseudo("chown 77:88 imported/etc/shadow; mv imported/etc/shadow imported/etc/shadow2", state: "new")
        let list = try fixture.entries("imported", .pseudo, metadata: fixture.host.file("new/files.db"))
        #expect(list["etc/shadow2"] == "640 77:88 file" && list["dev/null"] == "666 0:0 c 1,3")
    }

    /// rsync pulls the same from what it stored and from what went through our representation.
    @Test(.enabled(if: isInstalled("rsync"))) func rsyncPullsTheSame() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        _ = try convert(fixture, to: .rsync)
        try fixture.shell("rsync -aHX --fake-super --rsync-path='rsync --fake-super' root/ first/")
        _ = try convert(fixture, "first", to: .overrideStat)
        _ = try convert(fixture, "first", to: .rsync)
        let changes = try fixture.shell(
            "rsync -aHXni --delete --fake-super --rsync-path='rsync --fake-super' root/ first/"
        )
        #expect(changes == "")
        #expect(try fixture.shell("getfattr -d -m - root/dev/null first/dev/null").contains("20666 1,3 0:0"))
    }

    /// Root's rsync makes the real files of it: the strongest judge of all.
    @Test(.enabled(if: System.effectiveUser == 0 && isInstalled("rsync"))) func rootsRsyncMakesTheRealFiles() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = description(try fixture.entries("root", .overrideStat))
        _ = try convert(fixture, to: .rsync)
        // Not written by this process: a program that another test is just starting would have it open for writing, too, and
        // nobody could run it.
        try fixture.shell(
            """
            cat > remote.sh <<'X'
            #!/bin/sh
            shift
            exec sh -c "$*"
            X
            chmod 755 remote.sh
            rsync -aHAX --numeric-ids -e ./remote.sh --rsync-path='rsync --fake-super' "host:$PWD/root/" real/
            """
        )
        #expect(try fixture.shell("stat -c '%F %t,%T %a' real/dev/sda300") == "block special file 8,12c 660\n")
        // The umask of the root directory's maker is rsync's business.
        #expect(description(try fixture.entries("real", .plain)) == before)
    }

    @Test func deviceTableOfATree() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let summary = try convert(fixture, to: .deviceTable) { $0.output = fixture.host.file("copy") }
        #expect(
            summary.losses.sentences(for: .deviceTable) == [
                "a device table can't hold 1 extended attribute", "a device table can't hold 1 symbolic link's owner",
            ]
        )
        let table = String(decoding: try fixture.host.read("copy.devtable"), as: UTF8.self).split(separator: "\n")
        #expect(
            table == [
                "# name type mode uid gid major minor start inc count",
                "/bin/game f 2755 5 60 - - - - -",
                "/bin/su f 4755 0 0 - - - - -",
                "|xattr cap_net_raw=ep",
                "/dev d 750 0 6 - - - - -",
                "/dev/null c 666 0 0 1 3 - - -",
                "/dev/pipe p 600 7 8 - - - - -",
                "/dev/sda300 b 660 0 6 8 300 - - -",
                "/ro d 555 9 9 - - - - -",
                "/ro/secret f 0 1000 100000 - - - - -",
            ]
        )
        #expect(try fixture.host.names("copy/dev") == [])
        let list = try fixture.entries("copy", metadata: fixture.host.file("copy.devtable"))
        let before = try fixture.entries("root", .overrideStat)
        for path in before.order where path != "bin/owned" { #expect(list[path] == before[path], "\(path)") }
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .overrideStat, "the original is as it was")
    }

    @Test func copiesLeaveTheOriginalAlone() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = description(try fixture.entries("root", .overrideStat))
        for kind in [MetadataKind.pseudo, .rsync] {
            let summary = try convert(fixture, to: kind) { $0.output = fixture.host.file("copy.\(kind)") }
            #expect(summary.losses.isEmpty, "\(kind): \(summary)")
            #expect(description(try fixture.entries("copy.\(kind)", kind)) == before)
            #expect(description(try fixture.entries("root", .overrideStat)) == before)
            // And back into a copy of ours.
            _ = try convert(fixture, "copy.\(kind)", to: .overrideStat) {
                $0.output = fixture.host.file("back.\(kind)")
            }
            #expect(description(try fixture.entries("back.\(kind)", .overrideStat)) == before)
        }
        #expect(try fixture.host.names().filter { $0.contains("importing") } == [])
    }

    @Test func dryRunChangesNothing() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let state =
            "find root -printf '%P %m %T@ %C@ %i\\n' | sort; getfattr -R -h -d -m - root; ls -A | grep -vE 'db-(wal|shm)$' | sort"
        let before = try fixture.shell(state)
        for kind in [MetadataKind.rsync, .pseudo, .virtfs, .deviceTable] {
            let summary = try convert(fixture, to: kind) { $0.isDryRun = true }
            #expect(summary.files == 16)
            #expect(summary.replaced == (kind == .pseudo ? 0 : 3), "\(kind)")
            let after = try fixture.shell(state)
            #expect(after.split(separator: "\n") == before.split(separator: "\n"))
        }
        var failure: ImageError?
        do throws(ImageError) { _ = try convert(fixture, to: .overrideStat) } catch { failure = error }
        #expect(failure?.message.contains("already") == true)
    }

    @Test("a dry run of a copy says what the copy would: where its metadata go, and what is in the way")
    func dryRunOfCopy() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        func plan() throws(ImageError) -> String? {
            var options = TreeConversion.Options(to: .deviceTable)
            options.output = fixture.host.file("copy")
            options.isDryRun = true
            return try TreeConversion(fixture.host.file("root"), options).run().metadataFile
        }
        #expect(try plan() == fixture.host.file("copy.devtable"))
        #expect(try !fixture.host.names().contains("copy"))
        try fixture.shell("touch copy.devtable")
        #expect(throws: ImageError.self) { try plan() }
        try fixture.shell("rm copy.devtable; mkdir copy; touch copy/file")
        #expect(throws: ImageError.self) { try plan() }
    }

    @Test func existingDatabaseIsNotOverwritten() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        try fixture.shell("mkdir root.pseudo_state; echo mine > root.pseudo_state/files.db")
        var failure: ImageError?
        do throws(ImageError) { _ = try convert(fixture, to: .pseudo) { $0.from = .overrideStat } } catch {
            failure = error
        }
        #expect(failure?.message.contains("is there already") == true, "\(String(describing: failure))")
        #expect(try fixture.host.read("root.pseudo_state/files.db") == Array("mine\n".utf8))
        try fixture.shell("rm -r root.pseudo_state")
        #expect(try MetadataEvidence(fixture.host.file("root")).kind == .overrideStat)
    }

    /// Stopped after each number of steps, and taken up again: the end is always the same.
    @Test(.disabled(if: isQuick, "it takes seconds"), arguments: [MetadataKind.pseudo, .deviceTable])
    func interruptedCopyLeavesNothing(_ kind: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = try fixture.host.names()
        var limit = 1
        while true {
            let cancellation = Cancellation()
            var options = TreeConversion.Options(to: kind)
            options.output = fixture.host.file("copy")
            var steps = 0
            let conversion = TreeConversion(fixture.host.file("root"), options, cancellation: cancellation) { _, _ in
                steps += 1
                if steps == limit { cancellation.request() }
            }
            do throws(ImageError) {
                _ = try conversion.run()
                break
            } catch {
                try #require(error.code == .cancelled, "\(error)")
                #expect(try fixture.host.names() == before, "\(limit)")
            }
            limit += 2
        }
        #expect(limit > 10)
        #expect(try fixture.host.names().contains("copy"))
    }

    @Test(.disabled(if: isQuick, "it takes seconds"), arguments: [MetadataKind.rsync, .pseudo, .overrideStat])
    func interruptedAnywhereIsFinished(
        _ kind: MetadataKind
    ) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let from: MetadataKind = kind == .overrideStat ? .rsync : .overrideStat
        if kind == .overrideStat { _ = try convert(fixture, to: .rsync) }
        let before = description(try fixture.entries("root", from))
        var interruptions = 0
        for limit in stride(from: 1, to: 110, by: 4) {
            let cancellation = Cancellation()
            var steps = 0
            var lastPass = ""
            let conversion = TreeConversion(
                fixture.host.file("root"),
                TreeConversion.Options(to: kind),
                cancellation: cancellation
            ) { pass, _ in
                steps += 1
                lastPass = pass
                if steps == limit { cancellation.request() }
            }
            do throws(ImageError) {
                _ = try conversion.run()
            } catch {
                try #require(error.code == .cancelled, "\(error)")
                interruptions += 1
                // Nobody else takes the half-converted tree for anything.
                if lastPass == "looking" {
                    #expect(description(try fixture.entries("root", from)) == before, "nothing has been changed yet")
                } else {
                    let failure = try fixture.refusal("root", from)
                    #expect(failure.message.contains("is being converted"))
                }
                _ = try convert(fixture, to: kind)
            }
            #expect(description(try fixture.entries("root", kind)) == before, "\(limit)")
            let back = try convert(fixture, to: from)
            #expect(back.losses.isEmpty)
            #expect(description(try fixture.entries("root", from)) == before, "\(limit)")
            try fixture.shell("rm -rf root.pseudo_state")
        }
        #expect(interruptions > 15)
    }
}
