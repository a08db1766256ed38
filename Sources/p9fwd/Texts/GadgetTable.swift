import LinuxFiles
import USBLink

/// The table of `list`: the columns and widths of the kernel's Documentation/filesystems/9p.rst, and the serial number.
struct GadgetTable {
    let gadgets: [Gadget]

    init(_ gadgets: [Gadget]) {
        self.gadgets = gadgets
    }

    /// The table with its heading, every line ended.
    var text: String {
        let columns: [Column] = [
            Column("Bus", width: 3, isNumber: true) { String($0.bus) },
            Column("Addr", width: 4, isNumber: true) { String($0.address) },
            Column("Manufacturer", width: 16) { $0.manufacturer ?? "unknown" },
            Column("Product", width: 16) { $0.product ?? "unknown" },
            Column("ID", width: 9) { $0.id },
            Column("Path", width: 4) { $0.path },
            Column("Serial", width: 6) { $0.serial ?? "" },
        ]
        let widths = columns.map { column in
            gadgets.reduce(column.width) { max($0, printable(column.value($1)).count) }
        }
        func line(_ cell: (Column) -> String, fill: Character = " ") -> String {
            let cells = zip(columns, widths).map { column, width in
                let text = printable(cell(column))
                let padding = String(repeating: fill, count: max(0, width - text.count))
                return column.isNumber ? padding + text : text + padding
            }
            let line = cells.joined(separator: " | ")
            return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
        }
        var text = line { $0.isNumber ? $0.heading.padded(to: $0.width) : $0.heading }
        text += line({ _ in "" }, fill: "-")
        for gadget in gadgets { text += line { $0.value(gadget) } }
        return text
    }

    private struct Column {
        let heading: String
        let width: Int
        let isNumber: Bool
        let value: (Gadget) -> String

        init(_ heading: String, width: Int, isNumber: Bool = false, value: @escaping (Gadget) -> String) {
            self.heading = heading
            self.width = width
            self.isNumber = isNumber
            self.value = value
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
