import ArgumentParser
import CommandSupport
import RPiBoot
import USBHost
import USBLink

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the boards that are plugged in, with the port that --path wants.",
        discussion: """
            Needs no permission on the device nodes, and sends nothing to the boards.

            Examples:
              p9fwd list
              p9fwd list --json

            \(ExitCause.help())
            """
    )

    @OptionGroup var options: GadgetOptions

    @Flag(
        help:
            "Print JSON: {\"version\": 1, \"gadgets\": [...], \"loadable\": [...]}; the latter wait for p9fwd rpiboot."
    )
    var json = false

    func run() throws {
        let (all, loadable) = try CommandFailure.documented(json) { try look() }
        let gadgets = all.filter(options.selector.matches)
        if json {
            JSONValue.printDocument(
                version: 1,
                [
                    ("gadgets", .array(gadgets.map(\.json))),
                    ("loadable", .array(loadable.map { .object($0.members) })),
                ]
            )
            return
        }
        print(GadgetTable(gadgets).text, terminator: "")
        for device in loadable { StandardError.say("\(device.title): waits to be loaded, by p9fwd rpiboot DIR") }
        if gadgets.isEmpty { StandardError.say(nothing(amongst: all.count)) }
        for gadget in gadgets where !gadget.isAccessible {
            let failure = CommandFailure.permission(gadget)
            StandardError.say(failure.message)
            // Once is enough: the advice is the same for all boards.
            if gadget == gadgets.last(where: { !$0.isAccessible }), let advice = failure.advice {
                StandardError.write(advice + "\n")
            }
        }
    }

    private func look() throws -> (all: [Gadget], loadable: [BootDevice]) {
        do throws(USBError) {
            let context = try USBContext()
            return (try context.gadgets(), try context.bootDevices().filter(options.selector.matches))
        } catch {
            throw CommandFailure.noUSB(error)
        }
    }

    /// Why the table is empty.
    private func nothing(amongst count: Int) -> String {
        switch count {
        case 0 where !USBContext.hasBuses: "this machine has no USB bus: there is nothing in /sys/bus/usb/devices"
        case 0: "no board is plugged in and configured"
        case 1: "no board\(options.selector.phrase); there is one other"
        default: "no board\(options.selector.phrase); there are \(count) others"
        }
    }
}
