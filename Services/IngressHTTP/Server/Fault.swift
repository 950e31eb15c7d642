/// Why a request is not fulfilled. Each interface says it in its own manner.
struct Fault: Error, Equatable {
    enum Kind: String, Sendable, CaseIterable {
        case badRequest = "bad-request"
        case unauthorized
        case forbidden
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case conflict
        case tooLarge = "too-large"
        case unsupportedType = "unsupported-type"
        case invalid
        case throttled
        case balanceTooLow = "balance-too-low"
        case internalError = "internal-error"
        case notImplemented = "not-implemented"
        case unavailable
        case queueFull = "queue-full"

        var status: Int {
            switch self {
            case .badRequest: 400
            case .unauthorized: 401
            case .balanceTooLow: 402
            case .forbidden: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .conflict: 409
            case .tooLarge: 413
            case .unsupportedType: 415
            case .invalid: 422
            case .throttled: 429
            case .internalError: 500
            case .notImplemented: 501
            case .unavailable, .queueFull: 503
            }
        }

        var title: String {
            switch self {
            case .badRequest: "The request cannot be read"
            case .unauthorized: "Log in"
            case .balanceTooLow: "The balance is too low"
            case .forbidden: "Not allowed"
            case .notFound: "There is no such thing"
            case .methodNotAllowed: "Not with this method"
            case .conflict: "It cannot be done now"
            case .tooLarge: "The request is too large"
            case .unsupportedType: "The body is of an unknown type"
            case .invalid: "The request makes no sense"
            case .throttled: "Too many messages"
            case .internalError: "An error of ours"
            case .notImplemented: "Not supported"
            case .unavailable: "Not available now"
            case .queueFull: "The queue is full"
            }
        }
    }

    var kind: Kind
    /// What exactly, for a person.
    var detail: String
    var retryAfterSeconds: Int?
    /// Methods that are allowed instead.
    var allow: String?

    init(_ kind: Kind, _ detail: String, retryAfterSeconds: Int? = nil, allow: String? = nil) {
        self.kind = kind
        self.detail = detail
        self.retryAfterSeconds = retryAfterSeconds
        self.allow = allow
    }
}
