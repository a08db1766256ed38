import USBHost

/// Shares the boards that wait to be loaded with other processes that would take any of them: each reserves a board's port and
/// passes over the ports that others have. Belongs to one thread.
final class PortShare<Reservation: BoardReservation> {
    private var reservations: [String: Reservation] = [:]
    /// The devices that were reported, by port and address.
    private var told: [String: Int] = [:]
    private let reservePort: (_ port: String) -> Reservation?
    private let tell: (_ port: String) -> Void

    /// - Parameters:
    ///   - reserve: reserves a port; nil if another process has it.
    ///   - tell: called once for each device that is passed over.
    init(reserve: @escaping (_ port: String) -> Reservation?, tell: @escaping (_ port: String) -> Void) {
        reservePort = reserve
        self.tell = tell
    }

    /// Reserves a port.
    /// - Returns: false if another process has it.
    func reserve(_ port: String) -> Bool {
        if reservations[port]?.isHeld == true { return true }
        // Before the port is reserved anew: a lock that is no longer the port's would keep its successor out.
        reservations[port] = nil
        reservations[port] = reservePort(port)
        return reservations[port] != nil
    }

    /// Reserves a device's port, and tells of the device if another process has it.
    func take(_ device: any AttachedDevice) -> Bool {
        let isFree = reserve(device.path)
        if !isFree { tellOnce(device) }
        return isFree
    }

    /// Leaves a device to the process that turned out to have its interface.
    func leave(_ device: any AttachedDevice) {
        reservations[device.path] = nil
        tellOnce(device)
    }

    /// Gives back all ports but these.
    func release(except ports: [String]) {
        reservations = reservations.filter { ports.contains($0.key) }
    }

    private func tellOnce(_ device: any AttachedDevice) {
        guard told.updateValue(device.address, forKey: device.path) != device.address else { return }
        tell(device.path)
    }
}
