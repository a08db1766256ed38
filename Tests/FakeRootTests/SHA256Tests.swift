import FakeRoot
import Testing

@Suite("SHA-256")
struct SHA256Tests {
    @Test("examples of FIPS 180-4")
    func examples() {
        let abc = SHA256.hash(Array("abc".utf8).span.bytes)
        #expect(SHA256.text(abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let nothing = SHA256.hash([UInt8]().span.bytes)
        #expect(SHA256.text(nothing) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test("in pieces as in one, and a hole as its zeros")
    func pieces() {
        var hash = SHA256()
        hash.update([1 as UInt8, 2, 3].span.bytes)
        hash.update(zeros: 40000)
        hash.update([4 as UInt8].span.bytes)
        let whole: [UInt8] = [1, 2, 3] + [UInt8](repeating: 0, count: 40000) + [4]
        #expect(hash.finish() == SHA256.hash(whole.span.bytes))
        // After its end it begins anew.
        #expect(hash.finish() == SHA256.hash([UInt8]().span.bytes))
    }
}
