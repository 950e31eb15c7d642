extension ConfigurationEntry {
    /// What stands for a password that is not shown.
    static let hidden = "***"

    /// A password as `config show` prints it: not a value, but the one that is there already.
    var isHiddenSecret: Bool { value == Self.hidden && Keyword.isSecret(key) }
}

extension ConfigurationFile {
    /// The same configuration with passwords written `***` replaced by those that `current` has in the same place, so
    /// that what `config show` printed can be edited and applied.
    /// - Returns: the configuration, and what stays hidden because `current` has nothing in its place.
    public func revealing(from current: ConfigurationFile) -> (file: ConfigurationFile, unknown: [ConfigurationDiagnostic]) {
        var unknown: [ConfigurationDiagnostic] = []

        func reveal(_ entries: [ConfigurationEntry], _ old: [ConfigurationEntry], _ place: String) -> [ConfigurationEntry] {
            entries.map { entry in
                guard entry.isHiddenSecret else { return entry }
                guard let known = old.last(where: { $0.key == entry.key }) else {
                    unknown.append(
                        ConfigurationDiagnostic(
                            .error, line: entry.line,
                            "\(place): \(entry.key)=\(ConfigurationEntry.hidden) keeps a password, and there is none yet"))
                    return entry
                }
                return ConfigurationEntry(key: entry.key, value: known.value, line: entry.line)
            }
        }

        var file = self
        file.general = reveal(general, current.general, "general options")
        for index in sections.indices {
            let section = sections[index]
            file.sections[index].entries = reveal(
                section.entries, current.section(section.kind, named: section.name)?.entries ?? [],
                "\(section.kind.rawValue) \(section.name)")
        }
        return (file, unknown)
    }
}
