//! What a connection is answered without the ledger, word by word as Redis 7 answers it: the expectations were taken
//! from redis-server 7.0.15, but for what is Sumun's own.

use sumun_server::caps;
use sumun_server::resp::admin::{House, REDIS_VERSION};
use sumun_server::resp::session::{Allowance, Stage, Task};
use sumun_server::resp::transaction::Piece;
use sumun_server::resp::{Identity, Parsed, Parser, Session};

struct Empty;

impl House for Empty {
    fn now_ms(&self) -> u64 {
        5_000
    }
    fn info(&self, wants: &dyn Fn(&str) -> bool, out: &mut Vec<u8>) {
        for section in ["server", "cluster"] {
            if wants(section) {
                out.extend(format!("# {section}\r\n").bytes());
            }
        }
    }
    fn others(&self, wants: &dyn Fn(u64) -> bool, out: &mut Vec<u8>) {
        if wants(8) {
            out.extend(b"id=8\n");
        }
    }
}

fn session() -> Session {
    let peer = "127.0.0.1:1".parse().expect("an address");
    Session::new(Identity { id: 7, peer, local: peer, since_ms: 1_000 })
}

fn speak_to(session: &mut Session, stage: Stage, allowance: &Allowance, stream: &[u8]) -> String {
    let (mut parser, mut input, mut at) = (Parser::default(), stream.to_vec(), 0);
    let mut out = Vec::new();
    while let Ok(Parsed::Request { bytes }) = parser.parse(&mut input[at..]) {
        let args = parser.args(&input[at..]);
        match session.dispatch(args, stage, allowance, &Empty, &mut out) {
            Task::Answered => {}
            Task::Goodbye => out.extend(b"<goodbye>"),
            Task::Hangup => out.extend(b"<hangup>"),
            Task::Decide(verb) => out.extend(format!("<{verb:?}>").bytes()),
            Task::Exec => {
                let transaction = session.transaction.take().expect("a transaction");
                let pieces: Vec<String> = transaction
                    .pieces()
                    .map(|piece| match piece {
                        Piece::Ledger(verb, _) => format!("{verb:?}"),
                        Piece::Talk(talk, args) => format!("{talk:?}{args:?}"),
                        Piece::Refused(verb, refused) => format!("{verb:?} {refused:?}"),
                    })
                    .collect();
                out.extend(format!("<exec {}>", pieces.join("; ")).bytes());
            }
        }
        at += bytes;
    }
    String::from_utf8_lossy(&out).replace("\r\n", "|")
}

fn speak(stream: &str) -> String {
    speak_to(&mut session(), Stage::Ready, &Allowance { left: 1 << 30, retry_after_ms: 40 }, stream.as_bytes())
}

fn check(cases: &[(&str, &str)]) {
    for (stream, expected) in cases {
        assert_eq!(speak(&format!("{stream}\n")), *expected, "{stream}");
    }
}

#[test]
fn unknown_commands_are_quoted_as_redis_quotes_them() {
    let long = "x".repeat(150);
    let cut = "x".repeat(128);
    check(&[
        ("foo", "-ERR unknown command 'foo', with args beginning with: |"),
        ("foo a \"b c\"", "-ERR unknown command 'foo', with args beginning with: 'a' 'b c' |"),
        (&format!("foo {long} y"), &format!("-ERR unknown command 'foo', with args beginning with: '{cut}' |")),
        (
            &format!("foo {} yyyy", &cut[..126]),
            &format!("-ERR unknown command 'foo', with args beginning with: '{}' |", &cut[..126]),
        ),
        (&long, &format!("-ERR unknown command '{cut}', with args beginning with: |")),
        (r#"foo "a\nb""#, "-ERR unknown command 'foo', with args beginning with: 'a b' |"),
        (r#""f'o" "a\x00b""#, "-ERR unknown command 'f'o', with args beginning with: 'a' |"),
        ("\"\" a", "-ERR unknown command '', with args beginning with: 'a' |"),
        ("GET a", "-ERR unknown command 'GET', with args beginning with: 'a' |"),
        ("POST / HTTP/1.1", "<hangup>"),
        ("host: x", "<hangup>"),
    ]);
}

#[test]
fn the_connections_own_commands_answer_as_in_redis() {
    check(&[
        ("PING", "+PONG|"),
        ("ping a", "$1|a|"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command|"),
        ("ECHO \"\"", "$0||"),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command|"),
        ("AUTH", "-ERR wrong number of arguments for 'auth' command|"),
        (
            "AUTH x",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?|",
        ),
        ("AUTH default x", "+OK|"),
        ("AUTH bob x", "-WRONGPASS invalid username-password pair or user is disabled.|"),
        ("AUTH a b c", "-ERR syntax error|"),
        ("SELECT 0", "+OK|"),
        ("SELECT 1", "-ERR DB index is out of range|"),
        ("SELECT -1", "-ERR DB index is out of range|"),
        ("SELECT x", "-ERR value is not an integer or out of range|"),
        ("SELECT 01", "-ERR value is not an integer or out of range|"),
        ("SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647|"),
        ("SELECT", "-ERR wrong number of arguments for 'select' command|"),
        ("QUIT x", "+OK|<goodbye>"),
        ("RESET", "+RESET|"),
        ("RESET x", "-ERR wrong number of arguments for 'reset' command|"),
        ("CONFIG", "-ERR wrong number of arguments for 'config' command|"),
        ("CONFIG SET a b", "-ERR unknown subcommand 'SET'. Try CONFIG HELP.|"),
        ("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command|"),
        ("CONFIG GET save", "*2|$4|save|$0||"),
        ("CONFIG GET APPENDONLY nosuch", "*2|$10|appendonly|$3|yes|"),
        ("CONFIG GET d*s t?meout", "*4|$9|databases|$1|1|$7|timeout|$1|0|"),
        ("CONFIG GET nosuch", "*0|"),
        ("INFO cluster", "$11|# cluster||"),
        ("INFO", "$21|# server|# cluster||"),
        ("INFO nosuch", "$0||"),
    ]);
    assert_eq!(speak("HELLO 3\nCONFIG GET save\n").split("modules|*0|").nth(1), Some("%1|$4|save|$0||"));
}

#[test]
fn hello_shakes_hands_and_names_what_it_cannot() {
    let hands = |kind: &str, proto: u8| {
        let version = REDIS_VERSION;
        format!(
            "{kind}|$6|server|$5|sumun|$7|version|${}|{version}|$5|proto|:{proto}|$2|id|:7|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0|",
            version.len()
        )
    };
    check(&[
        ("HELLO", &hands("*14", 2)),
        ("HELLO 2", &hands("*14", 2)),
        ("HELLO 3", &hands("%7", 3)),
        ("HELLO 3 AUTH default x", &hands("%7", 3)),
        ("HELLO 3 SETNAME q\nCLIENT GETNAME", &(hands("%7", 3) + "$1|q|")),
        ("HELLO 3\nHELLO", &(hands("%7", 3) + &hands("%7", 3))),
        ("HELLO 3\nCLIENT GETNAME\nHELLO 2\nCLIENT GETNAME", &(hands("%7", 3) + "_|" + &hands("*14", 2) + "$-1|")),
        ("HELLO 1", "-NOPROTO unsupported protocol version|"),
        ("HELLO 4", "-NOPROTO unsupported protocol version|"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range|"),
        ("HELLO 03", "-ERR Protocol version is not an integer or out of range|"),
        ("HELLO 3 foo", "-ERR Syntax error in HELLO option 'foo'|"),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'|"),
        ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'|"),
        ("HELLO 3 AUTH bob x", "-WRONGPASS invalid username-password pair or user is disabled.|"),
        ("HELLO 3 SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.|"),
    ]);
}

#[test]
fn client_knows_names_ids_and_connections() {
    let own = "id=7 addr=127.0.0.1:1 laddr=127.0.0.1:1 fd=0 name=q age=4 idle=0 flags=N db=0";
    let listed = speak("CLIENT SETNAME q\nCLIENT SETINFO lib-name x\nCLIENT SETINFO LIB-VER 1\nCLIENT LIST\n");
    assert!(listed.starts_with("+OK|+OK|+OK|$") && listed.contains(own), "{listed}");
    assert!(listed.ends_with("cmd=client user=default redir=-1 resp=2 lib-name=x lib-ver=1\nid=8\n|"), "{listed}");
    check(&[
        ("CLIENT", "-ERR wrong number of arguments for 'client' command|"),
        ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.|"),
        ("client foo bar", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.|"),
        ("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command|"),
        ("CLIENT SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.|"),
        ("CLIENT SETNAME a\nCLIENT GETNAME", "+OK|$1|a|"),
        ("CLIENT SETNAME a\nCLIENT SETNAME \"\"\nCLIENT GETNAME", "+OK|+OK|$-1|"),
        ("CLIENT SETNAME a\nRESET\nCLIENT GETNAME", "+OK|+RESET|$-1|"),
        ("CLIENT ID", ":7|"),
        ("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command|"),
        ("CLIENT SETINFO foo x", "-ERR Unrecognized option 'foo'|"),
        ("CLIENT SETINFO lib-name \"a b\"", "-ERR lib-name cannot contain spaces, newlines or special characters.|"),
        ("CLIENT LIST ID 8 9", "$5|id=8\n|"),
        ("CLIENT LIST ID x", "-ERR Invalid client ID|"),
        ("CLIENT LIST TYPE pubsub", "$0||"),
        ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'|"),
        ("CLIENT LIST ID", "-ERR syntax error|"),
        ("CLIENT LIST FOO BAR", "-ERR syntax error|"),
    ]);
    assert!(
        speak("CLIENT HELP\n")
            .starts_with("*13|+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:|+GETNAME|")
    );
}

#[test]
fn command_tells_names_keys_and_flags() {
    let reserve = "*10|$7|reserve|:-4|*3|+write|+denyoom|+fast|:1|:1|:1|*2|+@write|+@fast|*0|*1|*6|$5|flags|*3|+RW|+access|+update|\
                   $12|begin_search|*4|$4|type|$5|index|$4|spec|*2|$5|index|:1|\
                   $9|find_keys|*4|$4|type|$5|range|$4|spec|*6|$7|lastkey|:0|$7|keystep|:1|$5|limit|:0|*0|";
    check(&[
        ("COMMAND COUNT", ":24|"),
        ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command|"),
        ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.|"),
        ("COMMAND INFO reserve nosuch", &format!("*2|{reserve}*-1|")),
        ("COMMAND DOCS nosuch", "*0|"),
        (
            "COMMAND DOCS multi",
            "*2|$5|multi|*6|$7|summary|$21|Begins a transaction.|$5|since|$5|0.1.0|$5|group|$12|transactions|",
        ),
        ("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command|"),
        ("COMMAND GETKEYS reserve", "-ERR wrong number of arguments for 'command|getkeys' command|"),
        ("COMMAND GETKEYS reserve r 1 1 a 1", "*1|$1|r|"),
        ("COMMAND GETKEYS ITEM a", "*1|$1|a|"),
        ("COMMAND GETKEYS reserve r", "-ERR Invalid number of arguments specified for command|"),
        ("COMMAND GETKEYS ping a", "-ERR The command has no key arguments|"),
        ("COMMAND GETKEYS nosuch a", "-ERR Invalid command specified|"),
    ]);
    for all in ["COMMAND\n", "COMMAND INFO\n"] {
        assert_eq!(speak(all).matches("|*10|").count(), 24, "{all}");
    }
    assert!(speak("COMMAND DOCS\n").starts_with("*48|$9|configure|*8|"));
}

#[test]
fn transactions_queue_and_hand_over_what_can_be_read() {
    check(&[
        ("MULTI\nMULTI\nEXEC", "+OK|-ERR MULTI calls can not be nested|<exec >"),
        ("EXEC", "-ERR EXEC without MULTI|"),
        ("DISCARD", "-ERR DISCARD without MULTI|"),
        ("MULTI x", "-ERR wrong number of arguments for 'multi' command|"),
        ("EXEC x", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|"),
        (
            "MULTI\nEXEC x\nEXEC",
            "+OK|-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command|-ERR EXEC without MULTI|",
        ),
        ("MULTI\nPING\nDISCARD\nEXEC", "+OK|+QUEUED|+OK|-ERR EXEC without MULTI|"),
        ("MULTI\nPING\nRESET\nEXEC", "+OK|+QUEUED|+RESET|-ERR EXEC without MULTI|"),
        ("MULTI\nPING\nQUIT", "+OK|+QUEUED|+OK|<goodbye>"),
        (
            "MULTI\nPING x\nITEM a\nCAPTURE r y\nRESERVE r 1 1 a 1\nRESERVE r 1 2 a 1\nEXEC",
            "+OK|+QUEUED|+QUEUED|+QUEUED|+QUEUED|+QUEUED|<exec Ping[\"PING\", \"x\"]; Item; Capture Invalid(Invalid { field: \"option\", why: \"is not one of this command\" }); Reserve; Reserve TooFew>",
        ),
    ]);
    for (bad, error) in [
        ("foo", "-ERR unknown command 'foo', with args beginning with: |"),
        ("ITEM", "-ERR wrong number of arguments for 'item' command|"),
        ("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.|"),
    ] {
        let spoilt = format!(
            "+OK|{error}+QUEUED|-EXECABORT Transaction discarded because of previous errors.|-ERR EXEC without MULTI|"
        );
        assert_eq!(speak(&format!("MULTI\n{bad}\nPING\nEXEC\nEXEC\n")), spoilt);
    }
}

#[test]
fn a_transaction_is_bounded_in_commands_lines_and_bytes() {
    let too_big = "-ERR the transaction is too big: at most 1024 commands, 4096 lines and 256 KiB|";
    let aborted = "-EXECABORT Transaction discarded because of previous errors.|";
    let reserve = format!("RESERVE r 1 64{}\n", " a 1".repeat(64));
    let echo = format!("ECHO {}\n", "x".repeat(60_000));
    let cases = [
        ("PING\n".to_owned(), caps::TRANSACTION_COMMANDS_MAX),
        (reserve, caps::TRANSACTION_LINES_MAX / 64),
        (echo, caps::TRANSACTION_BYTES_MAX / 60_004),
    ];
    for (command, fits) in cases {
        let within = speak(&format!("MULTI\n{}EXEC\n", command.repeat(fits)));
        assert_eq!(within.matches("+QUEUED|").count(), fits);
        assert!(within.contains("<exec "));
        let beyond = speak(&format!("MULTI\n{}EXEC\n", command.repeat(fits + 1)));
        assert!(beyond.ends_with(&format!("{too_big}{aborted}")), "{}", &beyond[beyond.len() - 200..]);
    }
}

#[test]
fn a_command_that_all_transactions_have_no_room_for_is_refused_with_a_retry_time() {
    let allowance = Allowance { left: 3, retry_after_ms: 40 };
    let answers = speak_to(&mut session(), Stage::Ready, &allowance, b"MULTI\nPING\nEXEC\n");
    assert_eq!(
        answers,
        "+OK|-OVERLOADED retry after 40 ms|-EXECABORT Transaction discarded because of previous errors.|"
    );
}

#[test]
fn while_the_log_is_replayed_only_the_connection_is_answered() {
    let allowance = Allowance { left: 1 << 30, retry_after_ms: 40 };
    let loading = "-LOADING Sumun is replaying its log|";
    for refused in ["ITEM a", "RESERVE r 1 1 a 1", "MULTI", "EXEC", "ECHO a", "SELECT 0", "RESET", "CONFIG GET save"] {
        let answer = speak_to(&mut session(), Stage::Loading, &allowance, format!("{refused}\n").as_bytes());
        assert_eq!(answer, loading, "{refused}");
    }
    for answered in ["HELLO 3", "AUTH default x", "PING", "INFO", "CLIENT ID", "COMMAND COUNT", "QUIT", "foo", "ITEM"] {
        let stream = format!("{answered}\n");
        let answer = speak_to(&mut session(), Stage::Loading, &allowance, stream.as_bytes());
        assert_eq!(answer, speak(&stream), "{answered}");
    }
}
