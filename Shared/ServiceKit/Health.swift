public import Bus
import Synchronization

/// What is well and what is not in this process, by component. The heartbeat and `/readyz` tell it to the outside.
public final class Health: Sendable {
    public enum State: Sendable, Equatable {
        case starting
        case healthy
        case failing(String)
    }

    private let components = Mutex<[String: State]>([:])
    private let notes = Mutex<[String: String]>([:])

    public init() {}

    public func set(_ component: String, _ state: State) { components.withLock { $0[component] = state } }
    public func remove(_ component: String) { components.withLock { _ = $0.removeValue(forKey: component) } }

    /// What an operator should know although the process does its work; nil takes it back.
    public func note(_ component: String, _ text: String?) { notes.withLock { $0[component] = text } }

    /// `healthy` only when every component is; else the first trouble, in words; notes where all is well.
    public var summary: (state: String, detail: String) {
        let all = components.withLock { $0 }.sorted { $0.key < $1.key }
        var starting: String?
        for (name, state) in all {
            switch state {
            case .failing(let reason): return ("failing", "\(name): \(reason)")
            case .starting: starting = starting ?? name
            case .healthy: continue
            }
        }
        if let starting { return ("starting", starting) }
        let told = notes.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return all.isEmpty ? ("starting", "") : ("healthy", told.joined(separator: "; "))
    }

    /// What a stage reports, as the state of `component`.
    public func reporter(_ component: String) -> @Sendable (StageState) -> Void {
        { [self] state in
            switch state {
            case .starting: set(component, .starting)
            case .running: set(component, .healthy)
            case .failing(let reason): set(component, .failing(reason))
            }
        }
    }
}
