import RPiBoot
import USBHost
import USBLink

/// Finds the one board that a selector means: a gadget that wants its files, or a Raspberry Pi that wants to be loaded.
struct BoardSearch {
    var selector: DeviceSelector
    /// Which Raspberry Pis in boot mode count; nil where there is nothing to load them with.
    var loads: ((BootDevice) -> Bool)?
    /// Passes over boards that other processes have; nil where there is nothing to load them with.
    var ports: PortShare?

    enum Board {
        case gadget(Gadget)
        case loadable(BootDevice)
        /// More than one matches; the user must choose.
        case several([Gadget], [BootDevice])
    }

    /// - Returns: nil if there is none.
    func look(_ context: USBContext) throws(USBError) -> Board? {
        var gadgets = try context.gadgets().filter(selector.matches)
        var loadable: [BootDevice] = []
        if let loads {
            // An id is the gadget's: a Raspberry Pi in boot mode has another one.
            let port = DeviceSelector(path: selector.path, serial: selector.serial)
            loadable = try context.bootDevices().filter { port.matches($0) && loads($0) }
        }
        if let ports, ports.passesOver {
            gadgets.removeAll { !ports.take($0) }
            loadable.removeAll { !ports.take($0) }
        }
        switch gadgets.count + loadable.count {
        case 0: return nil
        case 1: return gadgets.first.map(Board.gadget) ?? .loadable(loadable[0])
        default: return .several(gadgets, loadable)
        }
    }
}
