internal import CLibUSB
internal import LinuxFiles
internal import USBHost

/// A libusb transfer and its buffer, used for one transfer at a time.
final class BootTransfer {
    private let raw: UnsafeMutablePointer<libusb_transfer>
    private let claimed: ClaimedInterface
    private let context: USBContext
    private let stop: StopRequest
    private let memory: UnsafeMutableRawBufferPointer
    private var isInFlight = false

    /// The most bytes of one transfer: what the boards are used to.
    static let pieceSize = 16384
    private static let setupSize = 8

    /// How a transfer ended, if not well.
    enum Failure: Error {
        case stopped
        case timedOut
        /// The device refuses, for the moment at least.
        case stalled
        case gone
        case failed(USBError)
    }

    init(_ claimed: ClaimedInterface, in context: USBContext, until stop: StopRequest) throws(USBError) {
        guard let raw = libusb_alloc_transfer(0) else { throw .noMemory }
        self.raw = raw
        self.claimed = claimed
        self.context = context
        self.stop = stop
        memory = .allocate(byteCount: Self.setupSize + Self.pieceSize, alignment: 16)
    }

    deinit {
        precondition(!isInFlight, "boot transfer freed in flight")
        libusb_free_transfer(raw)
        memory.deallocate()
    }

    /// What a control transfer has read, and what a bulk transfer will send.
    var data: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[Self.setupSize...]) }

    /// Tells the board how many bytes come: a vendor request without data.
    func announce(_ length: UInt32, seconds: Double) throws(Failure) {
        _ = try control(UInt8(LIBUSB_ENDPOINT_OUT.rawValue), length, dataSize: 0, seconds)
    }

    /// Reads from the board: a vendor request. The board lets it wait until it has something to say.
    /// - Returns: bytes, at the beginning of `data`.
    func receive(_ size: Int, seconds: Double) throws(Failure) -> Int {
        try control(UInt8(LIBUSB_ENDPOINT_IN.rawValue), UInt32(size), dataSize: size, seconds)
    }

    /// Sends the beginning of `data`.
    func send(_ count: Int, to endpoint: UInt8, seconds: Double) throws(Failure) {
        raw.pointee.endpoint = endpoint
        raw.pointee.type = UInt8(LIBUSB_TRANSFER_TYPE_BULK.rawValue)
        raw.pointee.buffer = data.baseAddress?.assumingMemoryBound(to: UInt8.self)
        raw.pointee.length = CInt(count)
        // Either the device takes all or the transfer has failed.
        _ = try run(seconds)
    }

    /// - Parameter length: its low half is wValue, its high half wIndex.
    private func control(
        _ direction: UInt8,
        _ length: UInt32,
        dataSize: Int,
        _ seconds: Double
    ) throws(Failure) -> Int {
        let setup = UnsafeMutableRawBufferPointer(rebasing: memory[..<Self.setupSize])
        setup[0] = direction | UInt8(LIBUSB_REQUEST_TYPE_VENDOR.rawValue)
        setup[1] = 0
        setup.storeBytes(of: length.littleEndian, toByteOffset: 2, as: UInt32.self)
        setup.storeBytes(of: UInt16(dataSize).littleEndian, toByteOffset: 6, as: UInt16.self)
        raw.pointee.endpoint = 0
        raw.pointee.type = UInt8(LIBUSB_TRANSFER_TYPE_CONTROL.rawValue)
        raw.pointee.buffer = memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
        raw.pointee.length = CInt(Self.setupSize + dataSize)
        return try run(seconds)
    }

    /// Submits the transfer and waits for its end, for the time's end or for a stop.
    private func run(_ seconds: Double) throws(Failure) -> Int {
        guard !stop.isRequested else { throw .stopped }
        raw.pointee.dev_handle = claimed.handle
        raw.pointee.timeout = 0
        raw.pointee.flags = 0
        raw.pointee.user_data = Unmanaged.passUnretained(self).toOpaque()
        raw.pointee.callback = { transfer in
            guard let context = transfer?.pointee.user_data else { return }
            Unmanaged<BootTransfer>.fromOpaque(context).takeUnretainedValue().isInFlight = false
        }
        let deadline = ContinuousClock.now + .seconds(seconds)
        do throws(USBError) {
            try checked(libusb_submit_transfer(raw))
        } catch {
            throw error == .noDevice ? .gone : .failed(error)
        }
        isInFlight = true
        var isCancelled = false
        while isInFlight {
            let now = ContinuousClock.now
            if !isCancelled, stop.isRequested || now >= deadline {
                // "Not found" says that it has just ended by itself.
                _ = libusb_cancel_transfer(raw)
                isCancelled = true
            }
            let left = isCancelled ? 1000 : Int((deadline - now) / .milliseconds(1))
            context.handleEvents(milliseconds: max(1, left))
        }
        switch raw.pointee.status {
        case LIBUSB_TRANSFER_COMPLETED: return Int(raw.pointee.actual_length)
        case LIBUSB_TRANSFER_CANCELLED: throw stop.isRequested ? .stopped : .timedOut
        case LIBUSB_TRANSFER_STALL: throw .stalled
        case LIBUSB_TRANSFER_NO_DEVICE: throw .gone
        default: throw isGoneSoon ? .gone : .failed(.inputOutput)
        }
    }

    /// A pulled cable, or a board that starts anew, often shows as an I/O error first.
    private var isGoneSoon: Bool { !pause(seconds: 1) && claimed.isGone }

    /// Lets time pass; less of it if the board goes or somebody wants to stop.
    /// - Returns: whether the board is still there and nobody wants to stop.
    func pause(seconds: Double) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if stop.isRequested || claimed.isGone { return false }
            context.handleEvents(milliseconds: 50)
        }
        return !claimed.isGone
    }
}
