/// Where in the bucket the listing of a disk's files lies.
package enum ListingKey {
    /// The segments of the key; `origin` is the snapshot that the listing belongs to, or else the job that made it.
    package static func segments(user: String, disk: String, origin: String) -> [String] {
        [user, disk, "\(origin)-contents.txt"]
    }
}
