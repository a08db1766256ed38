internal import LinuxFiles
public import RPiBoot

extension BootDirectory {
    /// Opens a directory, and checks that something can be loaded from it.
    /// - Throws: `BoardFailure`: `.bootDirectory` or `.nothingToLoad`.
    public static func open(_ path: String) throws(BoardFailure) -> BootDirectory {
        let directory: BootDirectory
        do throws(Errno) {
            directory = try BootDirectory(path)
        } catch {
            throw .bootDirectory(path, error)
        }
        guard directory.chips.isEmpty else { return directory }
        throw .nothingToLoad(directory: path, directory.refusalOfBootcode)
    }

    /// Why boot code that is there can't be sent: a link out of the directory, for example.
    private var refusalOfBootcode: Refusal? {
        for chip in BootChip.allCases {
            if case .refused(let refusal) = find(chip.bootcode, for: chip, at: nil) { return refusal }
        }
        return nil
    }
}
