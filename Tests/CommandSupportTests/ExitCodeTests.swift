import CommandSupport
import TestSupport
import Testing

@Suite("Exit codes")
struct ExitCodeTests {
    @Test("the table of docs/exit-codes.md is what the programs' --help says")
    func documented() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try RunningProgram(["cat", "/\(root)/docs/exit-codes.md"]).wait().output
        // The first table of the page: "| 3 | meaning | ... |".
        let rows = page.split(separator: "\n").compactMap { line -> (Int32, String)? in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false)
            guard cells.count >= 4 else { return nil }
            func cell(_ index: Int) -> String {
                String(cells[index].drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
            return Int32(cell(1)).map { ($0, cell(2)) }
        }
        let first = Dictionary(rows.map { ($0.0, $0.1) }) { first, _ in first }
        for cause in ExitCause.allCases {
            #expect(first[cause.rawValue] == cause.meaning)
        }
    }
}
