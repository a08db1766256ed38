import P9Wire
import Testing
import TestSupport

/// A message as it must stand on the wire, and the same message made from its fields.
///
/// The bytes were written down from the formats with which Linux 6.12 writes and reads them (the arguments of
/// `p9_client_rpc` and `p9pdu_readf` in `net/9p/client.c`: b 1, w 2, d 4, q 8 bytes, s a string, Q a qid), which
/// the comments cite; T-messages that Linux doesn't send, from diod's protocol.md.
struct Golden: Sendable, CustomTestStringConvertible {
    let type: MessageType
    let bytes: [UInt8]
    private let make: @Sendable () throws(WireError) -> [UInt8]

    /// - Parameter text: hexadecimal; the tag is 0x0102.
    init(_ type: MessageType, _ text: String, _ make: @escaping @Sendable () throws(WireError) -> [UInt8]) {
        self.type = type
        self.bytes = hex(text)
        self.make = make
    }

    func encoded() throws(WireError) -> [UInt8] { try make() }

    var testDescription: String { "\(type)" }

    static let all = requests + replies

    private static let qid = Qid(kind: .directory, version: 0x0403_0201, path: 0x1817_1615_1413_1211)
    private static let wireQid = "80 01020304 1112131415161718"

    static let requests: [Golden] = [
        Golden(.tversion, "15000000 64 0201  00200000 0800 39503230 30302e4c") { () throws(WireError) in  // ds
            let version = Array("9P2000.L".utf8)
            return try P9WireTests.encoded(Tversion(msize: 8192, version: version.span.bytes))
        },
        Golden(
            .tauth,  // afid[4] uname[s] aname[s] n_uname[4]
            "19000000 66 0201  01000000 0400 726f6f74 0200 2f78 e8030000"
        ) { () throws(WireError) in
            let uname = Array("root".utf8)
            let aname = Array("/x".utf8)
            return try P9WireTests.encoded(
                Tauth(afid: Fid(rawValue: 1), uname: uname.span.bytes, aname: aname.span.bytes, numericUname: 1000)
            )
        },
        Golden(
            .tattach,  // ddss?u
            "1d000000 68 0201  01000000 ffffffff 0400 726f6f74 0200 2f78 e8030000"
        ) { () throws(WireError) in
            let uname = Array("root".utf8)
            let aname = Array("/x".utf8)
            return try P9WireTests.encoded(
                Tattach(
                    fid: Fid(rawValue: 1),
                    afid: .none,
                    uname: uname.span.bytes,
                    aname: aname.span.bytes,
                    numericUname: 1000
                )
            )
        },
        Golden(.tflush, "09000000 6c 0201  0403") { () throws(WireError) in  // w
            try P9WireTests.encoded(Tflush(oldTag: Tag(rawValue: 0x0304)))
        },
        Golden(
            .twalk,  // ddT: nwname[2], then strings
            "1e000000 6e 0201  01000000 02000000 0200 0300 657463 0600 706173737764"
        ) { () throws(WireError) in
            let names = hex("0300 657463 0600 706173737764")
            return try P9WireTests.encoded(
                Twalk(
                    fid: Fid(rawValue: 1),
                    newfid: Fid(rawValue: 2),
                    names: WalkNames(count: 2, encoded: names.span.bytes)
                )
            )
        },
        Golden(.tlopen, "0f000000 0c 0201  01000000 02800000") { () throws(WireError) in  // dd
            try P9WireTests.encoded(Tlopen(fid: Fid(rawValue: 1), flags: OpenFlags(rawValue: 0o100002)))
        },
        Golden(
            .tlcreate,  // dsddg
            "1c000000 0e 0201  01000000 0300 6e6577 41020000 a4010000 e9030000"
        ) { () throws(WireError) in
            let name = Array("new".utf8)
            return try P9WireTests.encoded(
                Tlcreate(
                    fid: Fid(rawValue: 1),
                    name: name.span.bytes,
                    flags: [.writeOnly, .create, OpenFlags(rawValue: 0o1000)],
                    mode: 0o644,
                    gid: 1001
                )
            )
        },
        Golden(.tread, "17000000 74 0201  01000000 0102030405060708 00100000") { () throws(WireError) in  // dqd
            try P9WireTests.encoded(Tread(fid: Fid(rawValue: 1), offset: 0x0807_0605_0403_0201, count: 4096))
        },
        Golden(.twrite, "1a000000 76 0201  01000000 0102030405060708 03000000 616263") { () throws(WireError) in  // dqV
            let data = Array("abc".utf8)
            return try P9WireTests.encoded(
                Twrite(fid: Fid(rawValue: 1), offset: 0x0807_0605_0403_0201, data: data.span.bytes)
            )
        },
        Golden(.tclunk, "0b000000 78 0201  01000000") { () throws(WireError) in  // d
            try P9WireTests.encoded(FidRequest(.tclunk, fid: Fid(rawValue: 1)))
        },
        Golden(.tremove, "0b000000 7a 0201  01000000") { () throws(WireError) in  // d
            try P9WireTests.encoded(FidRequest(.tremove, fid: Fid(rawValue: 1)))
        },
        Golden(.tstatfs, "0b000000 08 0201  01000000") { () throws(WireError) in  // d
            try P9WireTests.encoded(FidRequest(.tstatfs, fid: Fid(rawValue: 1)))
        },
        Golden(.treadlink, "0b000000 16 0201  01000000") { () throws(WireError) in  // d
            try P9WireTests.encoded(FidRequest(.treadlink, fid: Fid(rawValue: 1)))
        },
        Golden(
            .tsymlink,  // dssg
            "1a000000 10 0201  01000000 0200 6c6e 0500 2e2e2f622f e9030000"
        ) { () throws(WireError) in
            let name = Array("ln".utf8)
            let target = Array("../b/".utf8)
            return try P9WireTests.encoded(
                Tsymlink(directory: Fid(rawValue: 1), name: name.span.bytes, target: target.span.bytes, gid: 1001)
            )
        },
        Golden(
            .tmknod,  // dsdddg
            "20000000 12 0201  01000000 0300 747479 a4210000 04000000 40000000 05000000"
        ) { () throws(WireError) in
            let name = Array("tty".utf8)
            return try P9WireTests.encoded(
                Tmknod(
                    directory: Fid(rawValue: 1),
                    name: name.span.bytes,
                    mode: 0o020644,
                    major: 4,
                    minor: 64,
                    gid: 5
                )
            )
        },
        Golden(.tmkdir, "16000000 48 0201  01000000 0100 64 ed050000 e9030000") { () throws(WireError) in  // dsdg
            let name = Array("d".utf8)
            return try P9WireTests.encoded(
                Tmkdir(directory: Fid(rawValue: 1), name: name.span.bytes, mode: 0o2755, gid: 1001)
            )
        },
        Golden(.trename, "12000000 14 0201  01000000 02000000 0100 6e") { () throws(WireError) in  // dds
            let name = Array("n".utf8)
            return try P9WireTests.encoded(
                Trename(fid: Fid(rawValue: 1), directory: Fid(rawValue: 2), name: name.span.bytes)
            )
        },
        Golden(
            .trenameat,  // dsds
            "17000000 4a 0201  01000000 0200 6f6c 02000000 0200 6e65"
        ) { () throws(WireError) in
            let old = Array("ol".utf8)
            let new = Array("ne".utf8)
            return try P9WireTests.encoded(
                Trenameat(
                    oldDirectory: Fid(rawValue: 1),
                    oldName: old.span.bytes,
                    newDirectory: Fid(rawValue: 2),
                    newName: new.span.bytes
                )
            )
        },
        Golden(.tlink, "12000000 46 0201  01000000 02000000 0100 6e") { () throws(WireError) in  // dds
            let name = Array("n".utf8)
            return try P9WireTests.encoded(
                Tlink(directory: Fid(rawValue: 1), fid: Fid(rawValue: 2), name: name.span.bytes)
            )
        },
        Golden(.tunlinkat, "12000000 4c 0201  01000000 0100 6e 00020000") { () throws(WireError) in  // dsd
            let name = Array("n".utf8)
            return try P9WireTests.encoded(
                Tunlinkat(directory: Fid(rawValue: 1), name: name.span.bytes, flags: 0x200)
            )
        },
        Golden(.tgetattr, "13000000 18 0201  01000000 ff17000000000000") { () throws(WireError) in  // dq
            try P9WireTests.encoded(Tgetattr(fid: Fid(rawValue: 1), mask: [.basic, .generation]))
        },
        Golden(
            .tsetattr,  // dI; I: ddugqqqqq
            """
            43000000 1a 0201  01000000
            af010000 a4810000 e8030000 e9030000 0102030405060708
            1112131415161718 2122232425262728 3132333435363738 4142434445464748
            """
        ) { () throws(WireError) in
            try P9WireTests.encoded(
                Tsetattr(
                    fid: Fid(rawValue: 1),
                    valid: [.mode, .uid, .gid, .size, .modificationTime, .modificationTimeSet, .accessTimeSet],
                    mode: 0o100644,
                    uid: 1000,
                    gid: 1001,
                    size: 0x0807_0605_0403_0201,
                    accessTime: WireTime(seconds: 0x1817_1615_1413_1211, nanoseconds: 0x2827_2625_2423_2221),
                    modificationTime: WireTime(seconds: 0x3837_3635_3433_3231, nanoseconds: 0x4847_4645_4443_4241)
                )
            )
        },
        Golden(
            .txattrwalk,  // dds
            "17000000 1e 0201  01000000 02000000 0600 757365722e61"
        ) { () throws(WireError) in
            let name = Array("user.a".utf8)
            return try P9WireTests.encoded(
                Txattrwalk(fid: Fid(rawValue: 1), newfid: Fid(rawValue: 2), name: name.span.bytes)
            )
        },
        Golden(
            .txattrcreate,  // dsqd
            "1f000000 20 0201  01000000 0600 757365722e61 0300000000000000 02000000"
        ) { () throws(WireError) in
            let name = Array("user.a".utf8)
            return try P9WireTests.encoded(
                Txattrcreate(fid: Fid(rawValue: 1), name: name.span.bytes, size: 3, flags: 2)
            )
        },
        Golden(.treaddir, "17000000 28 0201  01000000 0102030405060708 00100000") { () throws(WireError) in  // dqd
            try P9WireTests.encoded(Treaddir(fid: Fid(rawValue: 1), offset: 0x0807_0605_0403_0201, count: 4096))
        },
        Golden(.tfsync, "0f000000 32 0201  01000000 01000000") { () throws(WireError) in  // dd
            try P9WireTests.encoded(Tfsync(fid: Fid(rawValue: 1), dataOnly: 1))
        },
        Golden(
            .tlock,  // dbdqqds
            "29000000 34 0201  01000000 01 01000000 0102030405060708 1112131415161718 d2040000 0300 6d6163"
        ) { () throws(WireError) in
            let client = Array("mac".utf8)
            return try P9WireTests.encoded(
                Tlock(
                    fid: Fid(rawValue: 1),
                    type: .write,
                    flags: 1,
                    start: 0x0807_0605_0403_0201,
                    length: 0x1817_1615_1413_1211,
                    processID: 1234,
                    clientID: client.span.bytes
                )
            )
        },
        Golden(
            .tgetlock,  // dbqqds
            "25000000 36 0201  01000000 02 0102030405060708 1112131415161718 d2040000 0300 6d6163"
        ) { () throws(WireError) in
            let client = Array("mac".utf8)
            return try P9WireTests.encoded(
                Tgetlock(
                    fid: Fid(rawValue: 1),
                    type: .unlock,
                    start: 0x0807_0605_0403_0201,
                    length: 0x1817_1615_1413_1211,
                    processID: 1234,
                    clientID: client.span.bytes
                )
            )
        },
    ]

    static let replies: [Golden] =
        [
            Golden(.rlerror, "0b000000 07 0201  02000000") { () throws(WireError) in  // d
                try P9WireTests.encoded(Rlerror(ecode: 2))
            },
            Golden(.rversion, "15000000 65 0201  00200000 0800 39503230 30302e4c") { () throws(WireError) in  // ds
                let version = Array("9P2000.L".utf8)
                return try P9WireTests.encoded(Rversion(msize: 8192, version: version.span.bytes))
            },
            Golden(
                .rwalk,  // R: nwqid[2], then qids
                "23000000 6f 0201  0200 \(wireQid) 02 01000000 0700000000000000"
            ) { () throws(WireError) in
                var reply = Rwalk()
                reply.append(qid)
                reply.append(Qid(kind: .symlink, version: 1, path: 7))
                return try P9WireTests.encoded(reply)
            },
            Golden(.rread, "0e000000 75 0201  03000000 616263") { () throws(WireError) in  // D
                let data = Array("abc".utf8)
                return try P9WireTests.encoded(Rread(data: data.span.bytes))
            },
            Golden(.rwrite, "0b000000 77 0201  03000000") { () throws(WireError) in  // d
                try P9WireTests.encoded(Rwrite(count: 3))
            },
            Golden(
                .rreaddir,  // D; each entry Qqbs
                """
                3e000000 29 0201  33000000
                \(wireQid) 0100000000000000 04 0100 2e
                00 01000000 0900000000000000 0200000000000000 08 0200 6162
                """
            ) { () throws(WireError) in
                let data = hex(
                    """
                    \(wireQid) 0100000000000000 04 0100 2e
                    00 01000000 0900000000000000 0200000000000000 08 0200 6162
                    """
                )
                return try P9WireTests.encoded(Rreaddir(data: data.span.bytes))
            },
            Golden(
                .rgetattr,  // A: qQdugqqqqqqqqqqqqqqq
                """
                a0000000 19 0201
                ff3f000000000000 \(wireQid) a4810000 e8030000 e9030000
                0200000000000000 0300000000000000 0400000000000000 0500000000000000 0600000000000000
                0700000000000000 0800000000000000 0900000000000000 0a00000000000000
                0b00000000000000 0c00000000000000 0d00000000000000 0e00000000000000
                0f00000000000000 1000000000000000
                """
            ) { () throws(WireError) in
                try P9WireTests.encoded(
                    Rgetattr(
                        valid: .all,
                        qid: qid,
                        mode: 0o100644,
                        uid: 1000,
                        gid: 1001,
                        linkCount: 2,
                        device: 3,
                        size: 4,
                        blockSize: 5,
                        blocks: 6,
                        accessTime: WireTime(seconds: 7, nanoseconds: 8),
                        modificationTime: WireTime(seconds: 9, nanoseconds: 10),
                        changeTime: WireTime(seconds: 11, nanoseconds: 12),
                        birthTime: WireTime(seconds: 13, nanoseconds: 14),
                        generation: 15,
                        dataVersion: 16
                    )
                )
            },
            Golden(.rxattrwalk, "0f000000 1f 0201  0102030405060708") { () throws(WireError) in  // q
                try P9WireTests.encoded(Rxattrwalk(size: 0x0807_0605_0403_0201))
            },
            Golden(
                .rstatfs,  // ddqqqqqqd
                """
                43000000 09 0201  97190201 00100000
                0100000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000
                0102030405060708 ff000000
                """
            ) { () throws(WireError) in
                try P9WireTests.encoded(
                    Rstatfs(
                        type: 0x0102_1997,
                        blockSize: 4096,
                        blocks: 1,
                        blocksFree: 2,
                        blocksAvailable: 3,
                        files: 4,
                        filesFree: 5,
                        fsid: 0x0807_0605_0403_0201,
                        nameLength: 255
                    )
                )
            },
            Golden(.rlock, "08000000 35 0201  01") { () throws(WireError) in  // b
                try P9WireTests.encoded(Rlock(status: .blocked))
            },
            Golden(
                .rgetlock,  // bqqds
                "21000000 37 0201  01 0102030405060708 1112131415161718 d2040000 0300 6d6163"
            ) { () throws(WireError) in
                let client = Array("mac".utf8)
                return try P9WireTests.encoded(
                    Rgetlock(
                        type: .write,
                        start: 0x0807_0605_0403_0201,
                        length: 0x1817_1615_1413_1211,
                        processID: 1234,
                        clientID: client.span.bytes
                    )
                )
            },
            Golden(.rreadlink, "0e000000 17 0201  0500 2e2e2f622f") { () throws(WireError) in  // s
                let target = Array("../b/".utf8)
                return try P9WireTests.encoded(Rreadlink(target: target.span.bytes))
            },
        ]
        + [(.rattach, "69"), (.rauth, "67"), (.rsymlink, "11"), (.rmknod, "13"), (.rmkdir, "49")].map {
            (type: MessageType, number: String) in
            Golden(type, "14000000 \(number) 0201  \(wireQid)") { () throws(WireError) in  // Q
                try P9WireTests.encoded(QidReply(type, qid: qid))
            }
        }
        + [(.rlopen, "0d"), (.rlcreate, "0f")].map { (type: MessageType, number: String) in
            Golden(type, "18000000 \(number) 0201  \(wireQid) e81f0000") { () throws(WireError) in  // Qd
                try P9WireTests.encoded(OpenReply(type, qid: qid, iounit: 8168))
            }
        }
        + [
            (.rflush, "6d"), (.rclunk, "79"), (.rremove, "7b"), (.rrename, "15"), (.rsetattr, "1b"),
            (.rxattrcreate, "21"), (.rfsync, "33"), (.rlink, "47"), (.rrenameat, "4b"), (.runlinkat, "4d"),
        ].map { (type: MessageType, number: String) in
            Golden(type, "07000000 \(number) 0201") { () throws(WireError) in
                try P9WireTests.encoded(EmptyReply(type))
            }
        }
}
