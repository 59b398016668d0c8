;; Quiet probes of a WebAssembly module, each a function that returns 1 when it reached what it must not. `modules.py` puts the imports before
;; them and makes of `(at …)` and `(size …)` where a text of the test's lies; `_start` calls each and writes a digit for it.
;; Descriptor 3 is the folder that the module was given. What is read lies at $READ.

(memory (export "memory") 4)
(global $READ i32 (i32.const 65536))
(global $READ_BYTES i32 (i32.const 65536))
(global $FOLDER i32 (i32.const 3))

(func $write (param $fd i32) (param $at i32) (param $size i32) (result i32)
  (i32.store (i32.const 0) (local.get $at))
  (i32.store (i32.const 4) (local.get $size))
  (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))

;; The descriptor of a path, or -1: $how are WASI's oflags, $rights its rights (2 reads, 64 writes).
(func $open (param $at i32) (param $size i32) (param $how i32) (param $rights i64) (result i32)
  (if (call $path_open (global.get $FOLDER) (i32.const 1) (local.get $at) (local.get $size) (local.get $how)
        (local.get $rights) (local.get $rights) (i32.const 0) (i32.const 16))
    (then (return (i32.const -1))))
  (i32.load (i32.const 16)))

(func $opens (param $at i32) (param $size i32) (param $how i32) (param $rights i64) (result i32)
  (local $fd i32)
  (local.set $fd (call $open (local.get $at) (local.get $size) (local.get $how) (local.get $rights)))
  (if (i32.eq (local.get $fd) (i32.const -1)) (then (return (i32.const 0))))
  (drop (call $fd_close (local.get $fd)))
  (i32.const 1))

;; How many bytes came from a descriptor.
(func $read (param $fd i32) (result i32)
  (i32.store (i32.const 0) (global.get $READ))
  (i32.store (i32.const 4) (global.get $READ_BYTES))
  (if (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (return (i32.const 0))))
  (i32.load (i32.const 8)))

;; How many bytes came from a path.
(func $taken (param $at i32) (param $size i32) (result i32)
  (local $fd i32) (local $got i32)
  (local.set $fd (call $open (local.get $at) (local.get $size) (i32.const 0) (i64.const 2)))
  (if (i32.eq (local.get $fd) (i32.const -1)) (then (return (i32.const 0))))
  (local.set $got (call $read (local.get $fd)))
  (drop (call $fd_close (local.get $fd)))
  (local.get $got))

;; Whether "canary-" stands in what was read.
(func $holds (param $size i32) (result i32)
  (local $at i32)
  (loop $on
    (if (i32.ge_s (i32.add (local.get $at) (i32.const 7)) (local.get $size)) (then (return (i32.const 0))))
    (if (i32.eq (i32.load (i32.add (global.get $READ) (local.get $at))) (i32.const 0x616e6163)) ;; "cana"
      (then (if (i32.eq (i32.load (i32.add (global.get $READ) (i32.add (local.get $at) (i32.const 3)))) (i32.const 0x2d797261)) ;; "ary-"
        (then (return (i32.const 1))))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br $on))
  (i32.const 0))

(func $reads (param $at i32) (param $size i32) (result i32)
  (call $holds (call $taken (local.get $at) (local.get $size))))

;; Links a name in the work folder to a path, and reads through it.
(func $linked (param $to i32) (param $to_size i32) (param $name i32) (param $name_size i32) (param $read i32) (param $read_size i32) (result i32)
  (local $found i32)
  (drop (call $path_symlink (local.get $to) (local.get $to_size) (global.get $FOLDER) (local.get $name) (local.get $name_size)))
  (local.set $found (call $reads (local.get $read) (local.get $read_size)))
  (drop (call $path_unlink_file (global.get $FOLDER) (local.get $name) (local.get $name_size)))
  (local.get $found))

(func $removed (param $at i32) (param $size i32) (result i32)
  (i32.eqz (call $path_unlink_file (global.get $FOLDER) (local.get $at) (local.get $size))))

;; Descriptors, before any other probe has opened one.
;; @attempt
(func $leaked_descriptor (result i32)
  (local $fd i32)
  (local.set $fd (i32.const 4))
  (loop $on
    (i32.store (i32.const 0) (global.get $READ))
    (i32.store (i32.const 4) (i32.const 64))
    (if (i32.eqz (call $fd_pread (local.get $fd) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 8)))
      (then (if (call $holds (i32.load (i32.const 8))) (then (return (i32.const 1))))))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br_if $on (i32.lt_s (local.get $fd) (i32.const 1024))))
  (i32.const 0))

;; @attempt
(func $descriptor_that_it_was_not_given (result i32)
  (local $fd i32)
  (local.set $fd (i32.const 4))
  (loop $on
    (if (i32.eqz (call $fd_fdstat_get (local.get $fd) (i32.const 64))) (then (return (i32.const 1))))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br_if $on (i32.lt_s (local.get $fd) (i32.const 1024))))
  (i32.const 0))

;; The secret's path from the host's root, below every folder there is a descriptor of.
;; @attempt
(func $secret_below_a_folder_it_was_given (result i32)
  (local $fd i32)
  (local.set $fd (global.get $FOLDER))
  (loop $on
    (if (i32.eqz (call $path_open (local.get $fd) (i32.const 1) (at below) (size below) (i32.const 0) (i64.const 2) (i64.const 2)
          (i32.const 0) (i32.const 16)))
      (then (return (call $holds (call $read (i32.load (i32.const 16)))))))
    (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
    (br_if $on (i32.lt_s (local.get $fd) (i32.const 1024))))
  (i32.const 0))

;; Files of the host, by every way that leads there.
;; @attempt
(func $secret_by_its_path (result i32) (call $reads (at secret) (size secret)))

;; @attempt
(func $secret_by_climbing (result i32) (call $reads (at climbing) (size climbing)))

;; @attempt
(func $secret_by_climbing_from_a_folder_of_its_own (result i32)
  (drop (call $path_create_directory (global.get $FOLDER) (at own) (size own)))
  (call $reads (at own_climbing) (size own_climbing)))

;; @attempt
(func $secret_by_a_link (result i32) (call $linked (at secret) (size secret) (at link) (size link) (at link) (size link)))

;; @attempt
(func $secret_by_a_link_that_climbs (result i32)
  (call $linked (at climbing) (size climbing) (at link) (size link) (at link) (size link)))

;; @attempt
(func $secret_by_a_link_on_the_way (result i32)
  (call $linked (at home) (size home) (at link) (size link) (at through_link) (size through_link)))

;; @attempt
(func $secret_by_a_link_to_a_link (result i32)
  (local $found i32)
  (drop (call $path_symlink (at secret) (size secret) (global.get $FOLDER) (at second) (size second)))
  (local.set $found (call $linked (at second) (size second) (at link) (size link) (at link) (size link)))
  (drop (call $removed (at second) (size second)))
  (local.get $found))

;; @attempt
(func $secret_by_a_second_name (result i32)
  (local $found i32)
  (drop (call $path_link (global.get $FOLDER) (i32.const 0) (at secret) (size secret) (global.get $FOLDER) (at second) (size second)))
  (local.set $found (call $reads (at second) (size second)))
  (drop (call $removed (at second) (size second)))
  (local.get $found))

;; @attempt
(func $secret_moved_into_its_folder (result i32)
  (local $found i32)
  (drop (call $path_rename (global.get $FOLDER) (at secret) (size secret) (global.get $FOLDER) (at second) (size second)))
  (local.set $found (call $reads (at second) (size second)))
  (drop (call $path_rename (global.get $FOLDER) (at second) (size second) (global.get $FOLDER) (at secret) (size secret)))
  (local.get $found))

;; @attempt
(func $secret_through_its_own_process (result i32) (call $reads (at own_root) (size own_root)))

;; @attempt
(func $secret_through_another_process (result i32) (call $reads (at victim_root) (size victim_root)))

;; @attempt
(func $secret_opened_for_writing (result i32) (call $opens (at secret) (size secret) (i32.const 0) (i64.const 64)))

;; @attempt
(func $facts_about_the_secret (result i32)
  (i32.eqz (call $path_filestat_get (global.get $FOLDER) (i32.const 1) (at secret) (size secret) (i32.const 64))))

;; @attempt
(func $times_of_the_secret_set (result i32)
  (i32.eqz (call $path_filestat_set_times (global.get $FOLDER) (i32.const 1) (at secret) (size secret)
    (i64.const 1000000000) (i64.const 1000000000) (i32.const 5))))

;; @attempt
(func $shared_memory_file_of_the_host (result i32) (call $reads (at shared) (size shared)))

;; @attempt
(func $shadow_passwords (result i32) (i32.ne (call $taken (at shadow) (size shadow)) (i32.const 0)))

;; @attempt
(func $root_folder_listed (result i32) (call $listed (at root) (size root)))

;; @attempt
(func $folder_above_listed (result i32) (call $listed (at above) (size above)))

(func $listed (param $at i32) (param $size i32) (result i32)
  (local $fd i32) (local $failed i32)
  (local.set $fd (call $open (local.get $at) (local.get $size) (i32.const 2) (i64.const 0x4000)))
  (if (i32.eq (local.get $fd) (i32.const -1)) (then (return (i32.const 0))))
  (local.set $failed (call $fd_readdir (local.get $fd) (global.get $READ) (global.get $READ_BYTES) (i64.const 0) (i32.const 8)))
  (drop (call $fd_close (local.get $fd)))
  (i32.and (i32.eqz (local.get $failed)) (i32.ne (i32.load (i32.const 8)) (i32.const 0))))

;; Changes of the host. The control undoes them.
;; @attempt
(func $file_planted_on_the_host (result i32)
  (if (i32.eqz (call $opens (at planted) (size planted) (i32.const 1) (i64.const 64))) (then (return (i32.const 0))))
  (call $removed (at planted) (size planted)))

;; @attempt
(func $file_planted_through_a_link (result i32)
  (drop (call $path_symlink (at planted) (size planted) (global.get $FOLDER) (at link) (size link)))
  (drop (call $opens (at link) (size link) (i32.const 1) (i64.const 64)))
  (drop (call $removed (at link) (size link)))
  (call $removed (at planted) (size planted)))

;; @attempt
(func $file_moved_out_of_its_folder (result i32)
  (drop (call $opens (at second) (size second) (i32.const 1) (i64.const 64)))
  (if (call $path_rename (global.get $FOLDER) (at second) (size second) (global.get $FOLDER) (at planted) (size planted))
    (then (drop (call $removed (at second) (size second))) (return (i32.const 0))))
  (call $removed (at planted) (size planted)))

;; @attempt
(func $file_of_the_host_removed (result i32) (call $removed (at spare) (size spare)))

;; @attempt
(func $folder_made_on_the_host (result i32)
  (if (call $path_create_directory (global.get $FOLDER) (at planted) (size planted)) (then (return (i32.const 0))))
  (i32.eqz (call $path_remove_directory (global.get $FOLDER) (at planted) (size planted))))

;; @attempt
(func $system_program_changed (result i32)
  (if (i32.eqz (call $opens (at program) (size program) (i32.const 1) (i64.const 64))) (then (return (i32.const 0))))
  (call $removed (at program) (size program)))

;; @attempt
(func $file_far_larger_than_its_disk (result i32)
  (local $fd i32) (local $failed i32)
  (local.set $fd (call $open (at second) (size second) (i32.const 1) (i64.const 0x400040)))
  (local.set $failed (call $fd_filestat_set_size (local.get $fd) (i64.const 0x40000000)))
  (drop (call $fd_close (local.get $fd)))
  (drop (call $removed (at second) (size second)))
  (i32.eqz (local.get $failed)))

;; The platform: its environment, arguments, program and processes, and the kernel.
;; @attempt
(func $environment_of_the_platform (result i32)
  (drop (call $environ_sizes_get (i32.const 32) (i32.const 36)))
  (if (i32.ge_u (i32.load (i32.const 36)) (global.get $READ_BYTES)) (then (return (i32.const 1))))
  (drop (call $environ_get (i32.const 131072) (global.get $READ)))
  (call $holds (i32.load (i32.const 36))))

;; @attempt
(func $arguments_of_the_platform (result i32)
  (drop (call $args_sizes_get (i32.const 32) (i32.const 36)))
  (i32.gt_u (i32.load (i32.const 32)) (i32.const 1)))

;; Its own name for the folder is /work, which says nothing of where it lies.
;; @attempt
(func $place_of_its_folder_on_the_host (result i32)
  (drop (call $fd_prestat_get (global.get $FOLDER) (i32.const 32)))
  (i32.ne (i32.load (i32.const 36)) (i32.const 5)))

;; @attempt
(func $program_of_the_platform (result i32)
  (i32.eqz (call $path_readlink (global.get $FOLDER) (at own_program) (size own_program) (global.get $READ) (i32.const 4096) (i32.const 8))))

;; @attempt
(func $environment_by_its_own_process (result i32) (call $reads (at own_environment) (size own_environment)))

;; @attempt
(func $environment_of_another_process (result i32) (call $reads (at victim_environment) (size victim_environment)))

;; @attempt
(func $command_line_of_another_process (result i32) (call $reads (at victim_command) (size victim_command)))

;; @attempt
(func $memory_of_another_process (result i32) (call $opens (at victim_memory) (size victim_memory) (i32.const 0) (i64.const 2)))

;; @attempt
(func $kernel_settings (result i32) (call $opens (at core_pattern) (size core_pattern) (i32.const 0) (i64.const 64)))

;; @attempt
(func $kernel_log (result i32) (call $opens (at kernel_log) (size kernel_log) (i32.const 0) (i64.const 2)))

;; @attempt
(func $device_of_the_host (result i32) (i32.ne (call $taken (at device) (size device)) (i32.const 0)))
