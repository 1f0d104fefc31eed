export const networkHelp = `Usage: cocoon-desktop network <command> [options]

  deploy                              Deploys a network contract: shows everything, asks, sends, checks, writes a network file.
    --config <deploy.json>            Its description; options below replace single values.
    --out <file>                      Network file to write (default: from the name).
    --name, --owner, --price, --worker-fee, --multipliers <prompt,cached,completion,reasoning>,
    --proxy-delay, --client-delay, --proxy-stake, --client-stake, --is-test yes|no, --reserve, --proxy <ip:port[ ip:port]> (repeatable)
  show <file or address>              Prints what the network contract says, and which endpoints said so.

  Owner's commands, each with <file or address> first:
  set-price        --price --worker-fee
  set-params       any of --price --worker-fee --proxy-delay --client-delay --proxy-stake --client-stake
  set-multipliers  <prompt,cached,completion,reasoning>
  register-proxy   "<ip:port>" or "<ip:port for workers> <ip:port for clients>"
  update-proxy     <number> "<ip:port …>"
  unregister-proxy <number>
  add-hash, remove-hash  --kind proxy|worker|model <hash, or NAME@COMMIT:HASH for a model>
  upgrade-contracts                   Replaces the contracts' code by that of this software.
  add-public-key   <key> --key-type <n> --expires <ISO time, as 2030-01-31T00:00:00Z>
  change-key-manager <key> --image-hash <hash> [--addresses "<ip:port …>"]
  change-owner     <address>          Asks twice: it cannot be taken back.

  test-coins <address> "<amount>"     Gives test coins of the local chain, e.g. to the wallet of a role.
  make-key --out <file>               Seals a new wallet key, or that of a phrase, into a key file.

Where:    --on local|testnet|mainnet   --endpoint <url> (repeatable)   --data-dir <path> (local chain)
Signing:  --phrase (asks)   --phrase-file <path>   --phrase-env <name>
          --key-file <path> with its password asked for, or --password-file <path>, --password-env <name>
          --ton-connect --manifest <url>: approve in a wallet on your phone (--bridge, --wallet-link for other wallets than Tonkeeper)
          On the local chain, without any of these, the wallet of the local network's owner signs.
Asking:   --dry-run shows the plan only.   --yes answers yes to "Type yes to send";
          change-owner then also needs --confirm-owner <address>.

Amounts carry their unit (0.5 TON, 20 nano), times too (60 s, 10 min, 24 h, 7 d). Secrets are never given as arguments.
`
