internal import ImageEntries
internal import LinuxFiles

/// Turns bytes into compressed ones; belongs to one thread.
protocol StreamEncoder: AnyObject {
    func encode(_ bytes: UnsafeRawBufferPointer) throws(ImageError)

    /// Writes what is still held back; nothing follows.
    func finish() throws(ImageError)
}

/// A thread that compresses, and what goes there and comes back.
///
/// It is independent of where the bytes go, so it can be left alone: it ends after the current call of the compressor, and
/// frees its memory.
final class CompressionWorker: @unchecked Sendable {  // only the thread touches the encoder, once that runs
    /// What the thread's owner may do next.
    struct Step {
        let output: [UInt8]
        /// Whether the bytes that were offered are taken, or all is compressed.
        let isDone: Bool
        let failure: ImageError?
    }

    private var encoder: (any StreamEncoder)?
    private let link = Link()

    /// Bytes that may wait for the compressor; more would only be in memory.
    private static let limit = 1 << 20

    /// - Parameter makeEncoder: gets what the encoder gives its output to.
    /// - Throws: what `makeEncoder` throws, and `system` if there can be no thread.
    init(_ makeEncoder: (Link) throws(ImageError) -> any StreamEncoder) throws(ImageError) {
        encoder = try makeEncoder(link)
        try ImageError.attempt("can't start a thread that compresses") { () throws(Errno) in
            try startThread { self.run() }
        }
    }

    /// Bytes that were given to the compressor and are not compressed yet, as far as it tells.
    var pendingBytes: UInt64 { link.state.updateQuietly { $0.offered - min($0.offered, $0.encoded) } }

    /// Gives bytes to the compressor, if there is room; waits a moment for it.
    /// - Returns: nil if nothing has happened for `ExportWait.interval`.
    func offer(_ bytes: [UInt8]) -> Step? {
        let step = link.step { state in
            guard state.waiting < Self.limit else { return false }
            state.input.append(bytes)
            state.waiting += bytes.count
            state.offered += UInt64(bytes.count)
            return true
        }
        link.state.wakeAll()
        return step
    }

    /// No more bytes follow.
    func end() {
        link.state.update { $0.isEnding = true }
    }

    /// Waits a moment for output, or for the end.
    /// - Returns: as `offer`.
    func collect() -> Step? { link.step { $0.hasEnded } }

    /// Nobody wants the output any more.
    func abandon() {
        link.state.update { state in
            state.isAbandoned = true
            state.input = []
        }
    }

    private func run() {
        var failure: ImageError?
        do throws(ImageError) {
            while let chunk = link.takeInput() {
                try chunk.span.withUnsafeBytes { (bytes) throws(ImageError) in try encoder?.encode(bytes) }
            }
            if !link.isAbandoned { try encoder?.finish() }
        } catch {
            failure = error
        }
        encoder = nil
        link.state.update { state in
            state.failure = failure
            state.hasEnded = true
        }
    }

    /// What both threads touch.
    final class Link: Sendable {
        struct State {
            var input: [[UInt8]] = []
            var output: [UInt8] = []
            /// Bytes in `input`.
            var waiting = 0
            /// Bytes since the beginning: those given to the thread, and those that are compressed.
            var offered: UInt64 = 0
            var encoded: UInt64 = 0
            var isEnding = false
            var isAbandoned = false
            var hasEnded = false
            var failure: ImageError?
        }

        fileprivate let state = Monitor(State())

        var isAbandoned: Bool { state.updateQuietly { $0.isAbandoned } }

        /// Takes compressed bytes.
        /// - Returns: false if nobody wants them.
        func emit(_ bytes: UnsafeRawBufferPointer) -> Bool {
            state.update { state in
                if !state.isAbandoned { state.output.append(contentsOf: bytes) }
                return !state.isAbandoned
            }
        }

        /// - Parameter encoded: bytes compressed since the beginning.
        func note(encoded: UInt64) {
            state.updateQuietly { $0.encoded = encoded }
        }

        /// - Returns: nil if no more follow.
        fileprivate func takeInput() -> [UInt8]? {
            let chunk = state.wait { state -> [UInt8]?? in
                if state.isAbandoned { return .some(nil) }
                guard let first = state.input.first else { return state.isEnding ? .some(nil) : nil }
                state.input.removeFirst()
                state.waiting -= first.count
                return first
            }
            state.wakeAll()
            return chunk
        }

        fileprivate func step(_ isDone: (inout State) -> Bool) -> Step? {
            state.wait(seconds: ExportWait.interval) { state in
                let isDone = isDone(&state)
                guard isDone || !state.output.isEmpty || state.failure != nil else { return nil }
                defer { state.output = [] }
                return Step(output: state.output, isDone: isDone, failure: state.failure)
            }
        }
    }
}
