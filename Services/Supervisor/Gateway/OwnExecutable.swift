import Foundation

/// The file of this very program, for its children: the same version as ours even when a build replaced the file meanwhile.
struct OwnExecutable: Sendable {
    private let path: String
    private let link = "/proc/\(getpid())/exe"

    init() throws(UpError) {
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw UpError("/proc is not mounted: `up` needs it to look after its processes")
        }
        self.path = path
    }

    /// Its path while it is the same file, because that reads better in `ps`; else the kernel's link to the file that we run.
    func current() -> String {
        var named = stat()
        var running = stat()
        guard stat(path, &named) == 0, stat(link, &running) == 0, named.st_ino == running.st_ino, named.st_dev == running.st_dev else {
            return link
        }
        return path
    }
}
