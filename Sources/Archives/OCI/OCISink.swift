internal import FakeRoot
package import ImageEntries
internal import JSONText
internal import LinuxFiles

/// Makes an OCI image of one layer, as an image layout: a directory.
///
/// Nothing in it depends on the host or the time of day. The layer holds sparse files with their zeros: the
/// specification says that holes are not understood everywhere.
///
/// Source: the OCI image specification 1.1, "Image Layout", "Image Configuration" and "Layer Filesystem Changeset".
package final class OCISink: EntrySink {
    package struct Settings {
        package var platform: Platform
        /// `none`, `gzip` or `zstd`.
        package var compression: Compression
        package var level: Int?
        /// Seconds since 1970.
        package var created: Int64
        /// `org.opencontainers.image.ref.name`.
        package var name: String

        package init(platform: Platform, compression: Compression, level: Int?, created: Int64, name: String) {
            self.platform = platform
            self.compression = compression
            self.level = level
            self.created = created
            self.name = name
        }
    }

    private let settings: Settings
    private let blobs: OwnedDescriptor
    private let layout: CInt
    private let layer: OwnedDescriptor
    private let layerOutput: HashingOutput
    private let tarOutput: HashingOutput
    private let tar: TarSink
    private let wait: ExportWait
    /// Bytes of all files.
    package private(set) var size: UInt64 = 0

    /// Makes the layout's directories, and the file of the one layer.
    /// - Parameter layout: an empty directory.
    /// - Throws: `permission`, `noSpace` or `system`; as `CompressedOutput`.
    package init(_ layout: CInt, _ settings: Settings, _ wait: ExportWait) throws(ImageError) {
        self.wait = wait
        self.settings = settings
        self.layout = layout
        do throws(Errno) {
            try System.makeDirectory(at: layout, "blobs", mode: 0o755)
            try System.makeDirectory(at: layout, "blobs/sha256", mode: 0o755)
            blobs = try System.open(at: layout, "blobs/sha256", [.readOnly, .directory])
            layer = try System.open(at: blobs.raw, "layer", [.writeOnly, .create, .exclusive], mode: 0o644)
        } catch {
            throw ImageError("can't make the image layout", error)
        }
        layerOutput = HashingOutput(DescriptorOutput(layer.raw, name: "the image's layer", wait))
        tarOutput = HashingOutput(
            settings.compression == .none
                ? layerOutput : try CompressedOutput(layerOutput, settings.compression, level: settings.level, wait)
        )
        tar = TarSink(tarOutput, keepsHoles: false, attributes: .plain)
    }

    package var losses: ExportLosses { tar.losses }

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        let slash = entry.path.lastIndex(of: UInt8(ascii: "/"))
        if entry.path[(slash.map { $0 + 1 } ?? 0)...].starts(with: ".wh.".utf8) {
            throw .refused(printable(entry.path), "in an OCI layer such a name means that a file is deleted")
        }
        try tar.add(entry, content: content)
    }

    package func finish() throws(ImageError) {
        try tar.finish()
        let digest = layerOutput.digest()
        try wait.writeBack(layer.raw, "can't write the image's layer to the disk")
        do throws(Errno) {
            try System.synchronize(layer.raw, dataOnly: true)
            try System.rename(at: blobs.raw, "layer", to: blobs.raw, digest)
        } catch {
            throw ImageError("can't name the image's layer", error)
        }
        size += layerOutput.count
        let suffix = settings.compression == .none ? "" : "+\(settings.compression.rawValue)"
        let layerDescriptor = descriptor("application/vnd.oci.image.layer.v1.tar\(suffix)", digest, layerOutput.count)
        let configuration = try addBlob(configuration(), "application/vnd.oci.image.config.v1+json")
        let manifestType = "application/vnd.oci.image.manifest.v1+json"
        var manifest = try addBlob(
            .object([
                ("schemaVersion", .integer(2)),
                ("mediaType", .string(manifestType)),
                ("config", .object(configuration)),
                ("layers", .array([.object(layerDescriptor)])),
            ]),
            manifestType
        )
        manifest.append(("platform", .object(platform)))
        manifest.append(("annotations", .object([("org.opencontainers.image.ref.name", .string(settings.name))])))
        try write(
            .object([
                ("schemaVersion", .integer(2)),
                ("mediaType", .string("application/vnd.oci.image.index.v1+json")),
                ("manifests", .array([.object(manifest)])),
            ]),
            to: "index.json",
            in: layout
        )
        try write(.object([("imageLayoutVersion", .string("1.0.0"))]), to: "oci-layout", in: layout)
        // The layout itself is its owner's to put on the disk.
        do throws(Errno) {
            try System.synchronizeDirectory(blobs.raw)
            let parent = try System.open(at: layout, "blobs", [.readOnly, .directory])
            try System.synchronizeDirectory(parent.raw)
            extendLifetime(parent)
        } catch {
            throw ImageError("can't write the image to the disk", error)
        }
    }

    private typealias Members = [(key: String, value: JSONValue)]

    private var platform: Members {
        var members: Members = [
            ("architecture", .string(settings.platform.architecture)), ("os", .string(settings.platform.system)),
        ]
        if let variant = settings.platform.variant { members.append(("variant", .string(variant))) }
        return members
    }

    private func configuration() -> JSONValue {
        let created = JSONValue.string(Self.text(settings.created))
        let history: Members = [("created", created), ("created_by", .string("p9serve export"))]
        return .object(
            [("created", created)] + platform + [
                ("config", .object([])),
                (
                    "rootfs",
                    .object([
                        ("type", .string("layers")), ("diff_ids", .array([.string("sha256:" + tarOutput.digest())])),
                    ])
                ),
                ("history", .array([.object(history)])),
            ]
        )
    }

    private func descriptor(_ type: String, _ digest: String, _ size: UInt64) -> Members {
        [("mediaType", .string(type)), ("digest", .string("sha256:" + digest)), ("size", .integer(size))]
    }

    private func addBlob(_ value: JSONValue, _ type: String) throws(ImageError) -> Members {
        let text = Array(value.line.utf8)
        let digest = SHA256.text(SHA256.hash(text.span.bytes))
        try write(value, to: digest, in: blobs.raw)
        return descriptor(type, digest, UInt64(text.count))
    }

    private func write(_ value: JSONValue, to name: String, in directory: CInt) throws(ImageError) {
        let text = Array(value.line.utf8)
        do throws(Errno) {
            let file = try System.open(at: directory, name, [.writeOnly, .create, .exclusive], mode: 0o644)
            try text.span.withUnsafeBytes { (text) throws(Errno) in try System.send(file.raw, text) }
            try System.synchronize(file.raw, dataOnly: true)
        } catch {
            throw ImageError("can't write the image's \(name)", error)
        }
        size += UInt64(text.count)
    }

    /// A time as RFC 3339 has it, in UTC: "2026-11-21T12:00:00Z".
    static func text(_ seconds: Int64) -> String {
        // Years from March on, in 400-year cycles: leap days come last then.
        // The range of RFC 3339, so that the year has four digits.
        let seconds = min(max(seconds, -62_167_219_200), 253_402_300_799)
        let day = (seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400
        let second = (seconds % 86_400 + 86_400) % 86_400
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))Z"
    }
}
