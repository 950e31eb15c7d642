extension ShortMessage {
    /// Whether the provider is to be asked for a report: because the sender wants one, or because the account pays on delivery only.
    public var awaitsReport: Bool { reportRequest != .none || charge.policy == 3 }
}
