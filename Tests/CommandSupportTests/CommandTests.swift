import ArgumentParser
import TestSupport
import Testing

@testable import CommandSupport

/// How a command line ends, seen from outside.
@Suite("Commands")
struct CommandTests {
    @Test("a failure's cause is the exit code; its message has the program's name, its advice has not")
    func failure() throws {
        let result = try Probe.run("fail", "7", "--advice", "Do this,\nthen that.")
        #expect(result.status == 7)
        #expect(result.output == "CommandProbe: it went wrong\nDo this,\nthen that.\n")
        #expect(try Probe.run("fail", "130").output == "CommandProbe: it went wrong\n")
    }

    @Test("every cause is an exit code", arguments: ExitCause.allCases)
    func everyCause(cause: ExitCause) throws {
        #expect(try Probe.run("fail", "\(cause.rawValue)").status == cause.rawValue)
    }

    @Test("what nobody foresaw is told like any failure")
    func unforeseen() throws {
        let result = try Probe.run("fail", "99")
        #expect(result.status == 1)
        #expect(result.output == "CommandProbe: something unforeseen\n")
    }

    @Test("success is silent")
    func success() throws {
        #expect(try Probe.run("print", "0").status == 0)
    }

    @Test("what was printed stands before what was said after it, though both are one pipe")
    func order() throws {
        #expect(try Probe.run("print", "3").output == "0\n1\n2\nCommandProbe: printed\n")
    }

    // MARK: Wrong arguments

    @Test(
        "a mistyped command is told with the one that may be meant, and all there are",
        arguments: [("sya", "; did you mean say?"), ("dokument", "; did you mean document?"), ("frobnicate", "")]
    )
    func unknownCommand(typed: String, meant: String) throws {
        for arguments in [[typed], ["help", typed]] {
            let result = try Probe.start(arguments).wait()
            #expect(result.status == 64)
            #expect(
                result.output == "CommandProbe: unknown command '\(typed)'\(meant)\n"
                    + "There are: say, print, fail, document, events, opening, work, help.\n"
            )
        }
    }

    @Test("an argument that is not UTF-8 is refused: it would name another file")
    func bytes() throws {
        let result = try Probe.run(in: #""$probe" say "$(printf 'a\377\001b')""#)
        #expect(result.status == 64)
        #expect(result.output.hasPrefix("CommandProbe: the argument 'a\\xff\\x01b' is not UTF-8\n"))
    }

    @Test("what the argument parser finds wrong is told in our way, with its usage")
    func parser() throws {
        let result = try Probe.run("fail")
        #expect(result.status == 64)
        #expect(result.output.hasPrefix("CommandProbe: Missing expected argument '<code>'\n"))
        #expect(result.output.contains("Usage: CommandProbe fail <code>"))
    }

    @Test("help and version go to standard output, and are a success")
    func help() throws {
        let help = try Probe.run(in: "\"$probe\" --help 2>/dev/null")
        #expect(help.status == 0 && help.output.contains("SUBCOMMANDS:"))
        let version = try Probe.run(in: "\"$probe\" --version 2>/dev/null")
        #expect(version.status == 0 && version.output == softwareVersion + "\n")
    }

    // MARK: The output

    @Test("an output that can't be written is a failure")
    func fullDisk() throws {
        let result = try Probe.run(in: "\"$probe\" print 3 >/dev/full")
        #expect(result.status == 1)
        #expect(result.output.hasSuffix("CommandProbe: can't write the output: No space left on device\n"))
    }

    @Test("who closes the output, as head does, is told nothing")
    func closedOutput() throws {
        let result = try Probe.run(in: "{ \"$probe\" print 100000; echo \"status $?\" >&2; } | head -n 1")
        #expect(result.output.split(separator: "\n").sorted() == ["0", "CommandProbe: printed", "status 1"])
    }

    @Test("control characters of a message reach no terminal as commands")
    func escapes() throws {
        #expect(try Probe.run("say", "\u{1b}[2J\rover").output == "CommandProbe: \\x1b[2J\\x0dover\n")
    }
}

/// What `--json` prints.
@Suite("JSON output")
struct JSONOutputTests {
    @Test("a document has its version first")
    func document() throws {
        let result = try Probe.run("document", "--json")
        #expect(result.status == 0)
        #expect(
            result.output == """
                {
                  "version": 2,
                  "boards": [
                    {
                      "path": "1-1"
                    }
                  ]
                }

                """
        )
    }

    @Test("a failure is a document too, and is said besides")
    func failedDocument() throws {
        let result = try Probe.run(in: "\"$probe\" document --json --failing 2>/dev/null")
        #expect(result.status == 6)
        #expect(
            result.output == """
                {
                  "version": 2,
                  "error": {
                    "exit_code": 6,
                    "message": "too late",
                    "hint": "Begin earlier."
                  }
                }

                """
        )
        let words = "CommandProbe: too late\nBegin earlier.\n"
        #expect(try Probe.run(in: "\"$probe\" document --json --failing 2>&1 >/dev/null").output == words)
        #expect(try Probe.run("document", "--failing").output == words)
    }

    @Test("a hint that is not there is null")
    func noHint() {
        let members = CommandFailure(.busy, "taken").members
        #expect(JSONValue.object(members).line == #"{"exit_code":5,"message":"taken","hint":null}"#)
    }

    @Test("events are lines with version and name first; the last one is the failure")
    func events() throws {
        let wanted = """
            {"version":1,"event":"found","path":"1-1","text":"\\u001b[2J\\n"}
            {"version":1,"event":"error","exit_code":7,"message":"it is gone","hint":null}

            """
        #expect(try Probe.run(in: "\"$probe\" events 2>/dev/null").output == wanted)
        #expect(
            try Probe.run(in: "\"$probe\" events --on-standard-error 2>&1 >/dev/null").output
                == wanted + "CommandProbe: it is gone\n"
        )
    }

    @Test("a stream that nobody wants sends nothing")
    func disabled() throws {
        let result = try Probe.run(in: "\"$probe\" events --disabled 2>/dev/null")
        #expect(result.status == 7 && result.output.isEmpty)
    }

    @Test("progress is one event a second at most, and none in the first", .enabled(if: !isQuick))
    func progress() throws {
        let result = try Probe.run(in: "\"$probe\" events --progress 2")
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(
            lines.filter { $0.hasPrefix("{") } == [
                #"{"version":1,"event":"progress","sent":1}"#, #"{"version":1,"event":"progress","sent":2}"#,
            ]
        )
        #expect(lines.contains { Double($0).map { $0 >= 2000 } == true })
    }

    @Test("who closes the events, or fills the disk, is not a failure of the work")
    func closedEvents() throws {
        #expect(try Probe.run(in: "\"$probe\" events >/dev/full").status == 7)
        #expect(try Probe.run(in: "{ \"$probe\" events; echo $? >&2; } | true").output.hasSuffix("7\n"))
    }
}

/// What a tree says while it is opened.
@Suite("Opening messages")
struct OpeningMessagesTests {
    @Test("they are said when the tree is open, and at once from then on")
    func opened() throws {
        #expect(
            try Probe.run("opening").output
                == "CommandProbe: open\nCommandProbe: first\nCommandProbe: the reason\nwhat to do\nCommandProbe: later\n"
        )
    }

    @Test("the last one is the reason if it can't be opened, its further lines the advice")
    func failed() throws {
        let result = try Probe.run("opening", "--failing")
        #expect(result.status == 4)
        #expect(result.output == "CommandProbe: first\nCommandProbe: the reason\nwhat to do\n")
    }

    @Test("a failure that nothing was said about keeps its own words")
    func silent() throws {
        let result = try Probe.run("opening", "--failing", "--silent")
        #expect(result.status == 1)
        #expect(result.output == "CommandProbe: nobody knows why\n")
    }
}
