/// What distinguishes two configurations, section by section. The order of sections is no difference; the order
/// of a section's lines is one.
public struct ConfigurationDifference: Sendable, Equatable, Encodable {
    public enum Place: Sendable, Equatable {
        case general
        case section(SectionKind, String)
    }

    public struct Change: Sendable, Equatable {
        public let place: Place
        /// Lines that go and lines that come, passwords as `***`.
        public let removed: [String]
        public let added: [String]
        public let sectionIsNew: Bool
        public let sectionGoes: Bool
    }

    public let changes: [Change]
    public var isEmpty: Bool { changes.isEmpty }

    public init(from old: ConfigurationFile, to new: ConfigurationFile) {
        var changes: [Change] = []
        func compare(_ place: Place, _ old: [ConfigurationEntry]?, _ new: [ConfigurationEntry]?) {
            let before = old ?? []
            let after = new ?? []
            let isSame = before.count == after.count && zip(before, after).allSatisfy { $0.isSame(as: $1) }
            guard !isSame || (old == nil) != (new == nil) else { return }
            let step = after.difference(from: before) { $0.isSame(as: $1) }
            changes.append(
                Change(
                    place: place, removed: step.removals.map { Self.element($0).description },
                    added: step.insertions.map { Self.element($0).description }, sectionIsNew: old == nil, sectionGoes: new == nil))
        }
        compare(.general, old.general, new.general)
        for section in new.sections {
            compare(.section(section.kind, section.name), old.section(section.kind, named: section.name)?.entries, section.entries)
        }
        for section in old.sections where new.section(section.kind, named: section.name) == nil {
            compare(.section(section.kind, section.name), section.entries, nil)
        }
        self.changes = changes
    }

    private static func element(_ change: CollectionDifference<ConfigurationEntry>.Change) -> ConfigurationEntry {
        switch change {
        case .insert(_, let entry, _), .remove(_, let entry, _): entry
        }
    }

    /// For people: `+` comes, `-` goes.
    public var lines: [String] {
        changes.flatMap { change -> [String] in
            let title =
                switch change.place {
                case .general: "general options"
                case .section(let kind, let name): "\(kind.rawValue) \(name)"
                }
            let mark = change.sectionIsNew ? "+" : change.sectionGoes ? "-" : "~"
            return ["\(mark) \(title)"] + change.removed.map { "    - \($0)" } + change.added.map { "    + \($0)" }
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(lines)
    }
}
