import CommandSupport
import LinuxFiles
import USBHost

/// Shares the boards that wait to be loaded with other processes that would take any of them: each takes a board's port and
/// passes over the ports that others have. Belongs to one thread.
final class PortShare {
    /// Whether to pass over what others have: as long as neither the user has named a board nor this process has had one
    /// that it is to serve from then on. Otherwise it is a failure.
    private(set) var passesOver: Bool
    private var reservations: [String: PortReservation] = [:]
    /// The addresses of devices that a process has which reserves nothing, by port: not tried again.
    private var claimed: [String: Int] = [:]
    /// The addresses of devices that were told of, by port.
    private var told: [String: Int] = [:]
    private let tell: (_ port: String) -> Void

    /// - Parameter tell: called once for each device that is passed over.
    /// - Throws: `.busy` if the selector names a port that another process has.
    init(_ selector: DeviceSelector, tell: @escaping (_ port: String) -> Void) throws(CommandFailure) {
        passesOver = selector.path == nil && selector.serial == nil
        self.tell = tell
        if let port = selector.path { try reserve(port) }
    }

    /// Takes a board's port, if nobody else has it.
    func take(_ device: some AttachedDevice) -> Bool {
        if reservations[device.path]?.isHeld == true { return true }
        guard claimed[device.path] != device.address else { return false }
        reservations[device.path] = nil
        reservations[device.path] = PortReservation(port: device.path)
        if reservations[device.path] != nil { return true }
        tellOnce(device)
        return false
    }

    /// Takes the port of the board that is meant.
    /// - Throws: `.busy` if another process has it.
    func reserve(_ port: String) throws(CommandFailure) {
        if reservations[port]?.isHeld == true { return }
        reservations[port] = nil
        reservations[port] = PortReservation(port: port)
        guard reservations[port] == nil else { return }
        throw CommandFailure(
            .busy,
            "another process has the board at port \(printable(port))",
            advice: "Find it with: pgrep -a \(StandardError.programName)"
        )
    }

    /// Leaves a device to the process that turned out to have its interface.
    func leave(_ device: some AttachedDevice) {
        reservations[device.path] = nil
        claimed[device.path] = device.address
        tellOnce(device)
    }

    /// Gives back all ports but these.
    func release(except ports: [String]) {
        reservations = reservations.filter { ports.contains($0.key) }
    }

    /// Has this process keep to the board that it has.
    func settle() {
        passesOver = false
    }

    private func tellOnce(_ device: some AttachedDevice) {
        guard told.updateValue(device.address, forKey: device.path) != device.address else { return }
        tell(device.path)
    }
}
