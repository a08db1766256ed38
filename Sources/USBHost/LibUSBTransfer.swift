internal import CLibUSB

/// A libusb transfer on a bulk endpoint.
package final class LibUSBTransfer: BulkTransfer {
    private let raw: UnsafeMutablePointer<libusb_transfer>
    /// Kept open for as long as the transfer: the buffer is the device's to free.
    private let interface: ClaimedInterface
    private let endpoint: UInt8
    package private(set) var buffer: UnsafeMutableRawBufferPointer
    /// Whether the buffer is the kernel's own memory, mapped: saves the kernel an allocation and a copy per transfer.
    private var isMapped: Bool

    package private(set) var isInFlight = false
    /// Whether `cancel` was called since the last submission.
    private var isCancelled = false

    /// - Throws: `USBError.noMemory`.
    init(_ interface: ClaimedInterface, endpoint: UInt8, bufferSize: Int) throws(USBError) {
        guard let raw = libusb_alloc_transfer(0) else { throw .noMemory }
        self.raw = raw
        self.interface = interface
        self.endpoint = endpoint
        (buffer, isMapped) = Self.allocate(bufferSize, interface.handle)
    }

    deinit {
        // A link waits for its transfers before it lets go of them: libusb writes to this object until then.
        precondition(!isInFlight, "bulk transfer freed in flight")
        libusb_free_transfer(raw)
        Self.free(buffer, isMapped, interface.handle)
    }

    package func resize(_ bufferSize: Int, keeping: Int) {
        precondition(!isInFlight, "bulk transfer resized in flight")
        guard bufferSize != buffer.count else { return }
        let (old, wasMapped) = (buffer, isMapped)
        (buffer, isMapped) = Self.allocate(bufferSize, interface.handle)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[..<keeping]))
        Self.free(old, wasMapped, interface.handle)
    }

    /// Starts the transfer of a part of the buffer.
    /// The corresponding C function is `libusb_submit_transfer`.
    /// - Throws: `USBError.noDevice`, `.busy` if it is in flight already; else as the C function.
    package func submit(_ range: Range<Int>, endWithZeroLengthPacket: Bool) throws(USBError) {
        raw.pointee.dev_handle = interface.handle
        raw.pointee.endpoint = endpoint
        raw.pointee.type = UInt8(LIBUSB_TRANSFER_TYPE_BULK.rawValue)
        raw.pointee.timeout = 0
        raw.pointee.flags = endWithZeroLengthPacket ? UInt8(LIBUSB_TRANSFER_ADD_ZERO_PACKET.rawValue) : 0
        raw.pointee.buffer = UnsafeMutableRawBufferPointer(rebasing: buffer[range])
            .baseAddress?.assumingMemoryBound(to: UInt8.self)
        raw.pointee.length = CInt(range.count)
        raw.pointee.user_data = Unmanaged.passUnretained(self).toOpaque()
        raw.pointee.callback = { transfer in
            guard let context = transfer?.pointee.user_data else { return }
            Unmanaged<LibUSBTransfer>.fromOpaque(context).takeUnretainedValue().isInFlight = false
        }
        isCancelled = false
        try checked(libusb_submit_transfer(raw))
        isInFlight = true
    }

    /// The corresponding C function is `libusb_cancel_transfer`.
    package func cancel() {
        guard isInFlight, !isCancelled else { return }
        isCancelled = true
        // "Not found": it has just ended, which its callback will report.
        _ = libusb_cancel_transfer(raw)
    }

    package var outcome: TransferOutcome {
        switch raw.pointee.status {
        case LIBUSB_TRANSFER_COMPLETED: .completed
        case LIBUSB_TRANSFER_CANCELLED: .cancelled
        case LIBUSB_TRANSFER_NO_DEVICE: .gone
        default: .failed
        }
    }

    package var count: Int { Int(raw.pointee.actual_length) }

    private static func free(_ buffer: UnsafeMutableRawBufferPointer, _ isMapped: Bool, _ handle: OpaquePointer) {
        guard isMapped, let base = buffer.baseAddress else { return buffer.deallocate() }
        _ = libusb_dev_mem_free(handle, base.assumingMemoryBound(to: UInt8.self), buffer.count)
    }

    private static func allocate(_ size: Int, _ handle: OpaquePointer) -> (UnsafeMutableRawBufferPointer, Bool) {
        if let mapped = libusb_dev_mem_alloc(handle, size) {
            return (UnsafeMutableRawBufferPointer(start: mapped, count: size), true)
        }
        return (.allocate(byteCount: size, alignment: 4096), false)
    }
}
