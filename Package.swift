// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "usb9pfs",
    products: [
        .executable(name: "p9fwd", targets: ["p9fwd"]),
        .executable(name: "p9serve", targets: ["p9serve"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // C only: shims with a prefix and module maps, no logic.
        .target(name: "CLinux"),
        .systemLibrary(name: "CLibUSB", pkgConfig: "libusb-1.0", providers: [.apt(["libusb-1.0-0-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLZMA", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CExt2FS", pkgConfig: "ext2fs", providers: [.apt(["libext2fs-dev"])]),

        // The core; no target imports one that stands below it in this list, and none knows Foundation.
        .target(name: "P9Wire", swiftSettings: strict),
        // The board's end of the cable, without its system calls; compiled for boards, as P9Wire is.
        .target(name: "BoardLink", dependencies: ["P9Wire"], swiftSettings: strict),
        .target(name: "JSONText", swiftSettings: strict),
        .target(name: "LinuxFiles", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "SQLite", dependencies: ["CSQLite", "LinuxFiles"], swiftSettings: strict),
        .target(name: "FakeRoot", dependencies: ["CNettle", "LinuxFiles", "SQLite"], swiftSettings: strict),
        .target(name: "ServedTree", dependencies: ["LinuxFiles", "FakeRoot"], swiftSettings: strict),
        .target(
            name: "P9Server",
            dependencies: ["P9Wire", "LinuxFiles", "FakeRoot", "ServedTree"],
            swiftSettings: strict
        ),
        .target(name: "P9Client", dependencies: ["P9Wire", "LinuxFiles"], swiftSettings: strict),
        .target(name: "USBHost", dependencies: ["CLibUSB", "LinuxFiles"], swiftSettings: strict),
        .target(name: "USBLink", dependencies: ["P9Wire", "USBHost"], swiftSettings: strict),

        // Raspberry Pis that wait to be loaded over USB.
        .target(
            name: "RPiBoot",
            dependencies: ["CLibUSB", "JSONText", "LinuxFiles", "FakeRoot", "USBHost"],
            swiftSettings: strict
        ),

        // What the host does for a board: find it, load it, serve it, and again.
        .target(
            name: "BoardHost",
            dependencies: ["LinuxFiles", "FakeRoot", "P9Wire", "USBHost", "USBLink", "RPiBoot"],
            swiftSettings: strict
        ),

        // Files on their way from and to archives and images: the entries, and what formats they come from and go to.
        .target(name: "ImageEntries", dependencies: ["LinuxFiles", "FakeRoot"], swiftSettings: strict),
        .target(
            name: "Ext4Image",
            dependencies: ["CExt2FS", "CZlib", "LinuxFiles", "FakeRoot", "ImageEntries"],
            swiftSettings: strict
        ),
        .target(
            name: "Archives",
            dependencies: ["CArchive", "CZlib", "CLZMA", "JSONText", "LinuxFiles", "FakeRoot", "ImageEntries"],
            swiftSettings: strict
        ),

        // Root filesystems: import, export, check, other tools' metadata.
        .target(
            name: "RootfsImage",
            dependencies: ["LinuxFiles", "SQLite", "FakeRoot", "ImageEntries", "Ext4Image", "Archives"],
            swiftSettings: strict
        ),

        // Command lines: argument parsing and wiring only.
        .target(
            name: "CommandSupport",
            dependencies: [
                "JSONText", "LinuxFiles", "FakeRoot", "ServedTree", "P9Server",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        // What p9serve does to a tree and says of it.
        .target(
            name: "TreeTools",
            dependencies: ["ImageEntries", "RootfsImage", "FakeRoot", "LinuxFiles", "CommandSupport"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "p9fwd",
            dependencies: [
                "USBHost", "USBLink", "RPiBoot", "BoardHost", "P9Wire", "P9Server", "P9Client", "LinuxFiles",
                "CommandSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "p9serve",
            dependencies: [
                "P9Server", "ImageEntries", "Archives", "RootfsImage", "FakeRoot", "LinuxFiles", "CommandSupport",
                "TreeTools",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),

        // What several test targets need: temporary directories, other programs, frames byte by byte, a server.
        .target(
            name: "TestSupport",
            dependencies: ["CLinux", "P9Wire", "LinuxFiles", "ServedTree", "P9Server", "P9Client"],
            path: "Tests/Support",
            swiftSettings: strict
        ),
        .testTarget(name: "ArchitectureTests", dependencies: ["TestSupport"], swiftSettings: strict),
        .testTarget(name: "P9WireTests", dependencies: ["P9Wire", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "BoardLinkTests", dependencies: ["BoardLink", "P9Wire"], swiftSettings: strict),
        .testTarget(name: "JSONTextTests", dependencies: ["JSONText"], swiftSettings: strict),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite", "LinuxFiles", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "LinuxFilesTests", dependencies: ["LinuxFiles", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "FakeRootTests",
            dependencies: ["FakeRoot", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ServedTreeTests",
            dependencies: ["ServedTree", "FakeRoot", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "P9ServerTests",
            dependencies: ["ServedTree", "P9Server", "P9Client", "P9Wire", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "P9ClientTests",
            dependencies: ["P9Client", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        // A program that does what CommandSupport is for, to be looked at from outside.
        .executableTarget(
            name: "CommandProbe",
            dependencies: [
                "CommandSupport", "LinuxFiles", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/CommandProbe",
            swiftSettings: strict
        ),
        .testTarget(
            name: "CommandSupportTests",
            dependencies: [
                "CommandProbe", "CommandSupport", "FakeRoot", "P9Server", "LinuxFiles", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(name: "USBHostTests", dependencies: ["USBHost"], swiftSettings: strict),
        .testTarget(
            name: "USBLinkTests",
            dependencies: ["USBLink", "USBHost", "P9Wire"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TreeToolsTests",
            dependencies: ["TreeTools", "JSONText", "RootfsImage", "FakeRoot", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RPiBootTests",
            dependencies: ["RPiBoot", "USBHost", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        // What a source of entries gives, and ext4 images to read.
        .target(
            name: "ImageTestSupport",
            dependencies: ["ImageEntries", "Ext4Image", "LinuxFiles", "TestSupport"],
            path: "Tests/ImageSupport",
            swiftSettings: strict
        ),
        .testTarget(
            name: "Ext4ImageTests",
            dependencies: ["Ext4Image", "ImageEntries", "FakeRoot", "LinuxFiles", "TestSupport", "ImageTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ArchivesTests",
            dependencies: ["Archives", "ImageEntries", "FakeRoot", "LinuxFiles", "TestSupport", "ImageTestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "BoardHostTests",
            dependencies: ["BoardHost", "RPiBoot", "USBHost", "USBLink", "P9Wire", "LinuxFiles", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "RootfsImageTests",
            dependencies: [
                "RootfsImage", "Archives", "ImageEntries", "FakeRoot", "LinuxFiles", "TestSupport", "ImageTestSupport",
            ],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
