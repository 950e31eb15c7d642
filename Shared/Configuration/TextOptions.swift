/// What a connector of either direction says of texts that come in over it.
public struct TextOptions: Sendable, Equatable {
    /// How long parts wait for each other where REASSEMBLETIME says nothing, in seconds: as long as phones' networks take to
    /// try a part a few times.
    public static let defaultReassemblySeconds = 300

    /// REASSEMBLE (ours) and REASSEMBLETIME (ours): parts of a long message wait so many seconds for each other and go on as
    /// one; nil = each part goes on by itself.
    public var reassemblySeconds: Int?

    public init(reassemblySeconds: Int? = nil) { self.reassemblySeconds = reassemblySeconds }

    static let keywords = ["REASSEMBLE", "REASSEMBLETIME"]
}

extension OptionReader {
    mutating func textOptions() -> TextOptions {
        let isWanted = flag("REASSEMBLE") ?? false
        let seconds = integer("REASSEMBLETIME", 1...86_400)
        if seconds != nil, !isWanted { warn("REASSEMBLETIME", "REASSEMBLETIME has no effect without REASSEMBLE") }
        return TextOptions(reassemblySeconds: isWanted ? seconds ?? TextOptions.defaultReassemblySeconds : nil)
    }
}
