import CommandSupport

import ImageEntries
import Testing

@testable import RootfsImage
@testable import TreeTools

@Suite struct ReportTests {
    @Test func progressOfAnImport() {
        var progress = ImportProgress()
        progress.archiveBytes = 2 << 20
        progress.archiveSize = 8 << 20
        progress.entries = 10
        var state = progress.state(seconds: 2)
        #expect(state.fraction == 0.25 && state.text == "2.0 MiB of 8.0 MiB")
        #expect(state.more == ["1.0 MiB/s", "10 entries"])
        progress.entriesTotal = 20
        #expect(progress.state(seconds: 2).fraction == 0.5)
        progress.archiveSize = nil
        progress.entriesTotal = nil
        state = progress.state(seconds: 2)
        #expect(state.fraction == nil && state.text == "2.0 MiB read")
        progress.phase = .syncing
        #expect(progress.state(seconds: 2).text == "writing to the disk")
        #expect(
            progress.members.map(\.key) == [
                "phase", "source_bytes", "source_bytes_total", "entries", "entries_total", "content_bytes",
            ]
        )
    }

    @Test func progressOfAnExport() {
        var progress = ExportProgress()
        (progress.entries, progress.entriesTotal) = (1, 2)
        (progress.contentBytes, progress.contentTotal) = (4096, 8192)
        #expect(progress.state(seconds: 1).fraction == 0.5)
        progress.pendingBytes = 4096
        #expect(progress.state(seconds: 1).fraction == 0.25)
        progress.phase = .finishing
        #expect(progress.state(seconds: 1).text == "compressing the rest")
    }

    @Test func whatAnExportSays() {
        var summary = ExportSummary()
        (summary.entries, summary.contentBytes, summary.targetBytes, summary.seconds) = (3, 2048, 10240, 1.234)
        let report = ExportReport(summary, target: "my file.tar")
        #expect(report.text == "exported 3 entries, 2.0 KiB, to 'my file.tar' (tar, 10.0 KiB) in 1.23 s")
        #expect(ExportReport(summary, target: "-").text.contains(" to standard output "))
        #expect(report.members.first { $0.key == "milliseconds" }?.value.integer == 1234)
    }

    @Test func whatAnImportWarnsOf() {
        var summary = ImportSummary()
        summary.leftoversRemoved = 1
        summary.losses.attributes = 2
        let report = ImportReport(summary, source: "a.tar", directory: "root", notices: ["odd\u{1b}[1m"])
        #expect(
            report.warnings == [
                "odd\\x1b[1m", "2 extended attributes were left out: Linux has no such attributes there",
                "1 directory left by an import that was killed has been removed",
            ]
        )
    }

    private func report(_ kinds: [CheckFinding.Kind], repaired: Bool = false) throws -> CheckReport {
        var report = CheckReport()
        report.files = 5
        report.findings = kinds.map { kind in
            var finding = CheckFinding(kind, "a", "detail")
            finding.isRepaired = repaired
            return finding
        }
        return report
    }

    @Test func aCheckCountsItsFindings() throws {
        let text = CheckView(try report([.labelLost, .labelLost, .leftover]), directory: "root", showsAll: false).text
        #expect(
            text == """
                problem: 2 lost labels
                    a: detail
                    a: detail
                note: 1 leftover
                    a: detail
                since the import: not known, there is no manifest
                5 files looked at, 2 problems

                """
        )
        let many = CheckView(
            try report(Array(repeating: .unreadable, count: 12)),
            directory: "root",
            showsAll: false
        )
        #expect(many.text.contains("    and 2 more; --all shows them\n"))
        let mended = CheckView(try report([.labelLost], repaired: true), directory: "root", showsAll: false)
        #expect(mended.text.hasPrefix("problem: 1 lost label, repaired\n") && mended.text.contains("no problem\n"))
        #expect(mended.members.first { $0.key == "clean" }?.value.line == "true")
    }

    @Test func aCheckAdvises() throws {
        func view(_ kinds: CheckFinding.Kind...) throws -> CheckView {
            CheckView(try report(kinds), directory: "my root", showsAll: false)
        }
        #expect(try view(.labelLost).advice == "Mend them: p9serve check --repair 'my root'")
        #expect(try view(.labelLost).remainder == nil)
        #expect(try view(.privilegesLost).advice.hasPrefix("Whether a program"))
        #expect(try view(.privilegesLost, .labelLost).advice.split(separator: "\n").count == 2)
        #expect(try view(.databaseDamaged, .labelLost).remainder?.hasPrefix("Restore the database") == true)
    }

    @Test(arguments: [("0", 0), ("1700000000", 1_700_000_000), ("", nil)] as [(String, Int64?)])
    func timesOfMaking(_ text: String, _ seconds: Int64?) throws {
        #expect(try SourceDateEpoch.seconds(text) == seconds)
    }

    @Test(arguments: ["x", "-1", "1.5", " 1"])
    func whatIsNoTimeOfMaking(_ text: String) {
        #expect(throws: CommandFailure.self) { try SourceDateEpoch.seconds(text) }
    }

}
