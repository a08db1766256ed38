import ImageEntries
import TestSupport

extension ImportFixture {
    /// Python: `layer(body)` gives a blob, `image(layers, **fields)` a manifest's descriptor, `layout(descriptors)` ends.
    private static let layoutMaker = """
        import io, sys, os, json, gzip, hashlib, tarfile
        os.makedirs('lay/blobs/sha256', exist_ok=True)
        D, F, S, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
        def blob(data, type, **more):
            digest = hashlib.sha256(data).hexdigest()
            open('lay/blobs/sha256/' + digest, 'wb').write(data)
            return dict(mediaType=type, digest='sha256:' + digest, size=len(data), **more)
        diffs = {}
        def layer(entries, zip=True):
            out = io.BytesIO()
            t = tarfile.open(fileobj=out, mode='w')
            for name, type, data in entries:
                i = tarfile.TarInfo(name)
                i.type, i.mode = type, 0o755 if type == D else 0o644
                if type in (S, H): i.linkname, data = data, b''
                i.size = len(data)
                t.addfile(i, io.BytesIO(data))
            t.close()
            return raw_layer(out.getvalue(), zip)
        def raw_layer(raw, zip=True, kind=None, packed=None):
            if packed is None: packed = gzip.compress(raw, mtime=0) if zip else raw
            d = blob(packed, kind or 'application/vnd.oci.image.layer.v1.tar' + ('+gzip' if zip else ''))
            diffs[d['digest']] = 'sha256:' + hashlib.sha256(raw).hexdigest()
            return d
        def content(l): return gzip.decompress(open('lay/blobs/sha256/' + l['digest'][7:], 'rb').read())
        def remove(d): os.remove('lay/blobs/sha256/' + d['digest'][7:])
        def image(layers, arch='amd64', variant=None, name=None, platform=True, ids=None,
                type='application/vnd.oci.image.config.v1+json'):
            config = dict(os='linux', architecture=arch, rootfs=dict(type='layers',
                diff_ids=ids if ids is not None else [diffs[l['digest']] for l in layers]))
            if variant: config['variant'] = variant
            c = blob(json.dumps(config).encode(), type)
            m = dict(schemaVersion=2, mediaType='application/vnd.oci.image.manifest.v1+json', config=c, layers=layers)
            d = blob(json.dumps(m).encode(), m['mediaType'])
            if platform: d['platform'] = {k: v for k, v in config.items() if k != 'rootfs'}
            if name: d['annotations'] = {'org.opencontainers.image.ref.name': name}
            return d
        def index(descriptors, **more):
            i = dict(schemaVersion=2, mediaType='application/vnd.oci.image.index.v1+json', manifests=descriptors)
            return blob(json.dumps(i).encode(), i['mediaType'], **more)
        def layout(descriptors):
            json.dump(dict(schemaVersion=2, manifests=descriptors), open('lay/index.json', 'w'))
            json.dump(dict(imageLayoutVersion='1.0.0'), open('lay/oci-layout', 'w'))

        """

    /// Makes an image layout.
    /// - Parameter body: statements of Python that end with `layout`.
    /// - Returns: its path.
    func layout(_ body: String) throws -> String {
        try host.write("layout.py", Self.layoutMaker + body)
        try shell("python3 layout.py; rm layout.py")
        return host.file("lay")
    }
}
