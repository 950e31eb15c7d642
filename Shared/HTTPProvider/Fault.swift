/// Why a template, a rule or a mapping cannot be used, in words for an operator.
public struct ProviderFault: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
