internal import ImageEntries
internal import LinuxFiles

/// Which of a layout's images is meant.
extension OCILayout {
    /// The one that is asked for.
    /// - Parameter candidates: images, at least one.
    /// - Throws: `badArchive` if it isn't there or not whole, and with what there is if there are several.
    mutating func choose(_ candidates: [ImageCandidate]) throws(ImageError) -> ImageCandidate {
        let found: [ImageCandidate]
        if let text = request.platform {
            found = try fitting(Platform.wanted(text), candidates)
        } else {
            found = try offered(candidates)
        }
        let chosen = try one(of: found)
        if case .damaged(let error) = chosen.state { throw error }
        return chosen
    }

    /// The candidates that fit best.
    private func fitting(_ wanted: Platform, _ candidates: [ImageCandidate]) throws(ImageError) -> [ImageCandidate] {
        func best(_ candidates: [ImageCandidate]) -> [ImageCandidate] {
            let fits = candidates.map { $0.platform?.fit(wanted) }
            guard let best = fits.compactMap({ $0 }).max() else { return [] }
            return zip(candidates, fits).filter { $0.1 == best }.map(\.0)
        }
        let offered = candidates.filter(\.isOffered)
        let found = best(offered)
        if !found.isEmpty { return found }
        let platforms = offered.compactMap { $0.platform?.text }
        let message =
            switch best(candidates).first?.state {
            case .incomplete?:
                "\(files.name) names an image for \(wanted.text), but not all of its files are in it"
            default: "there is no image for \(wanted.text) in \(files.name)"
            }
        throw .choice(message, "--platform", platforms)
    }

    /// The candidates whose files are there.
    private mutating func offered(_ candidates: [ImageCandidate]) throws(ImageError) -> [ImageCandidate] {
        let found = candidates.filter(\.isOffered)
        guard found.isEmpty else {
            let missing = candidates.filter { !$0.isOffered }.map {
                $0.platform?.text ?? "sha256:\($0.descriptor.digest)"
            }
            if !missing.isEmpty {
                let list = missing.map { printable($0.utf8) }.joined(separator: ", ")
                notices.append("\(files.name) names images whose files are not in it: \(list)")
            }
            return found
        }
        guard case .incomplete(let error)? = candidates.first?.state else {
            throw .badImage(files.name, "there is no image in it")
        }
        throw error
    }

    private mutating func one(of found: [ImageCandidate]) throws(ImageError) -> ImageCandidate {
        if found.count == 1 { return found[0] }
        let names = Set(found.compactMap(\.name))
        if names.count > 1, request.name == nil {
            throw .choice("there are several images in \(files.name)", "--image", labels(found))
        }
        let platforms = found.compactMap { $0.platform?.normalized }
        if Set(platforms).count > 1 {
            let list = found.compactMap { $0.platform?.text }
            throw .choice("there are images for several platforms in \(files.name)", "--platform", list)
        }
        // No platform tells them apart.
        guard found.allSatisfy({ $0.top == found[0].top }) else {
            throw .choice("there are several images in \(files.name)", "--image", labels(found))
        }
        let platform = found[0].platform.map { " for \(printable($0.text.utf8))" } ?? ""
        notices.append(
            "\(files.name) has \(found.count) images\(platform), of which the first was taken, as docker does"
        )
        return found[0]
    }

    /// What `--image` takes: names, or digests of those that have none of their own.
    private func labels(_ found: [ImageCandidate]) -> [String] {
        var tops: [String: Set<Int>] = [:]
        for candidate in found { tops[candidate.name ?? "", default: []].insert(candidate.top) }
        return found.map { candidate in
            guard let name = candidate.name, tops[name]?.count == 1 else { return "sha256:" + candidate.topDigest }
            return name
        }
    }
}

extension ImageError {
    /// The error for a choice that the user has to take.
    /// - Parameter values: as they are; the hint has them as words of a shell.
    static func choice(_ message: String, _ option: String, _ values: [String]) -> ImageError {
        var seen: Set<String> = []
        let lines = values.filter { seen.insert($0).inserted }.map { "    \(option) \(ShellWord($0.utf8).text)" }
        return ImageError(
            .badArchive,
            message,
            hint: lines.isEmpty ? nil : "There is:\n" + lines.joined(separator: "\n")
        )
    }
}
