/// The account that `--demo` makes.
public enum DemoAccount {
    public static let name = "demo"
    public static let password = "secret"
    /// What it starts with, prepaid.
    static let balance = "1000"
}
