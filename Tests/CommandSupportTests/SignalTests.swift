internal import Glibc
import TestSupport
import Testing

@testable import CommandSupport

/// Work that goes on until somebody ends it, seen from outside.
@Suite("Signals")
struct SignalTests {
    @Test("work that ends by itself ends the command")
    func byItself() throws {
        let result = try Probe.run("work", "--brief")
        #expect(result.status == 0)
        #expect(
            result.output
                == "CommandProbe: working\nCommandProbe: the work is done\nCommandProbe: the command is done\n"
        )
    }

    @Test("work that fails ends the command with its failure")
    func failing() throws {
        let result = try Probe.run("work", "--brief", "--failing")
        #expect(result.status == 8)
        #expect(result.output == "CommandProbe: working\nCommandProbe: the work failed\n")
    }

    @Test(
        "the first signal asks the work to stop, and the command ends as it wants",
        arguments: [SIGINT, SIGTERM, SIGHUP]
    )
    func first(signal: CInt) throws {
        let program = try Probe.start(["work"])
        program.waitFor("working")
        program.send(signal: signal)
        let result = try program.wait()
        #expect(result.status == 0)
        #expect(
            result.output == "CommandProbe: working\nCommandProbe: asked to stop\nCommandProbe: the work is done\n"
                + "CommandProbe: the command is done\n"
        )
    }

    @Test("what comes within a second after the first signal is the same wish; later it ends the process at once")
    func second() throws {
        let program = try Probe.start(["work", "--stubborn"])
        program.waitFor("working")
        program.send(signal: SIGTERM)
        program.waitFor("asked to stop")
        // As many as come within the first second change nothing; the first one after it does.
        let start = ContinuousClock.now
        waitUntil {
            program.send(signal: SIGTERM)
            return !program.isRunning
        }
        #expect(ContinuousClock.now - start >= .milliseconds(900))
        let result = try program.wait()
        #expect(result.status == ExitCause.interrupted.rawValue)
        #expect(result.output == "CommandProbe: working\nCommandProbe: asked to stop\n")
    }

    @Test("a SIGHUP that was ignored at the start, as by nohup, stays so")
    func ignoredHangUp() throws {
        let program = try RunningProgram(["sh", "-c", "trap '' HUP; exec \"$1\" work", "sh", Probe.path])
        program.waitFor("working")
        program.send(signal: SIGHUP)
        program.send(signal: SIGTERM)
        let result = try program.wait()
        #expect(result.status == 0)
        #expect(result.output.contains("asked to stop"))
        let other = try RunningProgram(["sh", "-c", "trap '' HUP; exec \"$1\" work --stubborn", "sh", Probe.path])
        other.waitFor("working")
        other.send(signal: SIGHUP)
        // A process that takes a signal does so at once; this one does nothing.
        let text = try Probe.run("say", "a program's time").output
        #expect(text == "CommandProbe: a program's time\n")
        #expect(try !other.outputSoFar().contains("asked to stop"))
        other.send(signal: SIGKILL)
        _ = try other.wait()
    }

    @Test("a SIGINT that was ignored at the start, as in the background of a shell without job control, is taken")
    func ignoredInterrupt() throws {
        let program = try RunningProgram(["sh", "-c", "trap '' INT; exec \"$1\" work", "sh", Probe.path])
        program.waitFor("working")
        program.send(signal: SIGINT)
        #expect(try program.wait().status == 0)
    }
}
