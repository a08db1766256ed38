import Testing

@testable import USBHost

@Suite struct PortReservationTests {
    @Test(arguments: [
        ("1-1", "1-0:1.0/usb1-port1"), ("12-3", "12-0:1.0/usb12-port3"), ("2-1.4", "2-1:1.0/2-1-port4"),
        ("2-1.1.12", "2-1.1:1.0/2-1.1-port12"),
    ])
    func directoryIsTheHubs(port: String, directory: String) {
        #expect(PortReservation.directory(of: port) == "/sys/bus/usb/devices/" + directory)
    }

    @Test func rootHubIsNoPort() {
        #expect(PortReservation.directory(of: "usb1") == nil)
    }

    /// As in a container without sysfs: nobody is kept out by what can't be reserved.
    @Test func portThatIsNotThereIsFree() {
        let port = "99-99"
        let one = PortReservation(port: port)
        let other = PortReservation(port: port)
        #expect(one != nil && other != nil && one?.isHeld == false)
    }
}
