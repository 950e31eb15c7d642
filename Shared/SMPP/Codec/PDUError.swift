/// What is wrong with a PDU, where, and the status that tells its sender.
public struct PDUError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Problem: String, Sendable {
        /// The body ends inside or before the field.
        case truncated
        /// The field is longer than the specification allows.
        case tooLong
        /// The value cannot stand in this field.
        case invalidValue
        /// Octets are left over that belong to no field.
        case excessOctets
    }

    /// The field by its name in the specification.
    public let field: String
    /// Octets from the first octet of the PDU to where the field starts.
    public let offset: Int
    public let problem: Problem
    /// What the specification wants answered.
    public let status: CommandStatus

    public init(field: String, offset: Int, problem: Problem, status: CommandStatus) {
        self.field = field
        self.offset = offset
        self.problem = problem
        self.status = status
    }

    public var description: String { "\(self.field) at octet \(self.offset): \(self.problem.rawValue) (\(self.status))" }
}
