/// What the media types of an image's documents and layers mean.
///
/// Source: the OCI image specification, "Media Types", and Docker's "Image Manifest V 2, Schema 2".
enum MediaType {
    static func isIndex(_ type: String) -> Bool {
        [
            "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
        ].contains(type)
    }

    static func isManifest(_ type: String) -> Bool {
        [
            "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
        ].contains(type)
    }

    /// Whether it is a manifest of Docker's schema 1, which names no configuration.
    static func isSchema1(_ type: String) -> Bool {
        type.hasPrefix("application/vnd.docker.distribution.manifest.v1+")
    }

    /// Whether it is the configuration of an image, and not of an artifact.
    static func isConfiguration(_ type: String) -> Bool {
        [
            "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json",
        ].contains(type)
    }

    /// Whether it is a layer of a root filesystem, one that can be read or not.
    static func isLayer(_ type: String) -> Bool {
        type.hasPrefix("application/vnd.oci.image.layer.") || type.hasPrefix("application/vnd.docker.image.rootfs.")
    }

    /// Whether it is a tar archive. What it is compressed with shows in the file, as it does to docker and containerd.
    static func isTar(_ type: String) -> Bool {
        let oci = ["", "+gzip", "+zstd"].flatMap { suffix in
            ["", "nondistributable."].map { "application/vnd.oci.image.layer.\($0)v1.tar\(suffix)" }
        }
        let docker = ["", ".gzip", ".zstd"].flatMap { suffix in
            ["", "foreign."].map { "application/vnd.docker.image.rootfs.\($0)diff.tar\(suffix)" }
        }
        return (oci + docker).contains(type)
    }

    static func isEncrypted(_ type: String) -> Bool { type.hasSuffix("+encrypted") }

    /// Whether a registry may lack the layer, so that somebody else provides it.
    static func isForeign(_ type: String) -> Bool {
        type.contains(".nondistributable.") || type.contains(".foreign.")
    }
}
