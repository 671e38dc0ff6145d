//! The packages that the tool carries: the registry of its own `arch/wit` and the files of its `wit`.

macro_rules! carried {
    ($($path:literal),+ $(,)?) => {
        /// Path and content, sorted by path.
        const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../", $path)))),+];
    };
}

carried![
    "arch/wit/index.x07wit.json",
    "wit/deps/wasi/cli/0.2.8/command.wit",
    "wit/deps/wasi/cli/0.2.8/environment.wit",
    "wit/deps/wasi/cli/0.2.8/exit.wit",
    "wit/deps/wasi/cli/0.2.8/imports.wit",
    "wit/deps/wasi/cli/0.2.8/run.wit",
    "wit/deps/wasi/cli/0.2.8/stdio.wit",
    "wit/deps/wasi/cli/0.2.8/terminal.wit",
    "wit/deps/wasi/clocks/0.2.8/monotonic-clock.wit",
    "wit/deps/wasi/clocks/0.2.8/timezone.wit",
    "wit/deps/wasi/clocks/0.2.8/wall-clock.wit",
    "wit/deps/wasi/clocks/0.2.8/world.wit",
    "wit/deps/wasi/filesystem/0.2.8/preopens.wit",
    "wit/deps/wasi/filesystem/0.2.8/types.wit",
    "wit/deps/wasi/filesystem/0.2.8/world.wit",
    "wit/deps/wasi/http/0.2.8/handler.wit",
    "wit/deps/wasi/http/0.2.8/proxy.wit",
    "wit/deps/wasi/http/0.2.8/types.wit",
    "wit/deps/wasi/io/0.2.8/error.wit",
    "wit/deps/wasi/io/0.2.8/poll.wit",
    "wit/deps/wasi/io/0.2.8/streams.wit",
    "wit/deps/wasi/io/0.2.8/world.wit",
    "wit/deps/wasi/random/0.2.8/insecure-seed.wit",
    "wit/deps/wasi/random/0.2.8/insecure.wit",
    "wit/deps/wasi/random/0.2.8/random.wit",
    "wit/deps/wasi/random/0.2.8/world.wit",
    "wit/deps/wasi/sockets/0.2.8/instance-network.wit",
    "wit/deps/wasi/sockets/0.2.8/ip-name-lookup.wit",
    "wit/deps/wasi/sockets/0.2.8/network.wit",
    "wit/deps/wasi/sockets/0.2.8/tcp-create-socket.wit",
    "wit/deps/wasi/sockets/0.2.8/tcp.wit",
    "wit/deps/wasi/sockets/0.2.8/udp-create-socket.wit",
    "wit/deps/wasi/sockets/0.2.8/udp.wit",
    "wit/deps/wasi/sockets/0.2.8/world.wit",
    "wit/x07/cli_adapter/0.1.0/cli-adapter.wit",
    "wit/x07/http_adapter/0.1.0/http-adapter.wit",
    "wit/x07/http_state_doc_adapter/0.1.0/http-state-doc-adapter.wit",
    "wit/x07/solve/0.1.0/solve.wit",
    "wit/x07/web_ui/0.2.0/web-ui.wit",
    "wit/x07/web_ui_adapter/0.1.0/web-ui-adapter.wit",
];

/// The content of an embedded file, by its path in the repository.
#[must_use]
pub fn file(path: &str) -> Option<&'static str> {
    let at = FILES.binary_search_by(|(name, _)| name.cmp(&path)).ok()?;
    FILES.get(at).map(|(_, text)| *text)
}

/// The embedded files below a folder: path below it, and content; sorted by path.
pub fn files_below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, *text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn collect(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "wit" || e == "json") {
                let relative = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below");
                found.push(relative.to_str().expect("text").replace('\\', "/"));
            }
        }
    }

    #[test]
    fn all_files_of_the_repository_are_carried_and_no_other() {
        let mut found = Vec::new();
        for folder in ["wit", "arch/wit"] {
            collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
        }
        found.sort();
        let carried: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(carried, found);
    }

    #[test]
    fn files_are_found_by_path_and_by_folder() {
        assert!(file("wit/deps/wasi/http/0.2.8/proxy.wit").is_some_and(|text| text.contains("world proxy")));
        assert_eq!(file("wit/deps/wasi/http/0.2.8"), None);
        let names: Vec<&str> = files_below("wit/deps/wasi/http/0.2.8").map(|(name, _)| name).collect();
        assert_eq!(names, ["handler.wit", "proxy.wit", "types.wit"]);
        assert_eq!(files_below("wit/deps/wasi/htt").count(), 0, "a folder is a whole name");
    }
}
