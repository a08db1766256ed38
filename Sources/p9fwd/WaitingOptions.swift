import ArgumentParser

/// How long to wait for a board, and what to do when it goes.
struct WaitingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Give up if no board has appeared after so long.", valueName: "seconds"))
    var timeout: Double?

    @Flag(help: "End when the board has gone, instead of waiting for it to come back.")
    var once = false

    func validate() throws {
        try Self.check(timeout)
    }

    static func check(_ timeout: Double?) throws {
        if let timeout, !(timeout >= 0 && timeout < 1e9) {
            throw ValidationError("--timeout wants a number of seconds, 0 or more")
        }
    }
}
