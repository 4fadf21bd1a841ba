# Install rules and the exported package: find_package(engraft) gives the target engraft::engraft.
