import { parseArgs } from 'node:util'
import type { ChildEntries } from '../../child-entries.ts'
import { startWorkerRole } from '../../roles/worker-role.ts'
import { hostAndPort, jsonText, modelName, routerPlace, toncoin, versionRange, wholeNumber } from './arguments.ts'
import { commonHelp, commonOptions, policyOf, readCommon } from './common.ts'
import { readKeyAccess } from './key-access.ts'
import { runRole } from './run-role.ts'

export const workerHelp = `Usage: cocoon-desktop worker --network <name or file> --model <name> [options]

  Serves the network's requests with one engine.
    --engine <builtin|url>    The built-in engine, or the address of an OpenAI-compatible server (default builtin).
    --model <name>            NAME or NAME@COMMIT:HASH; for the built-in engine also an id of the library or a GGUF file.
    --coefficient <n>         Price in thousandths of the network's price (default 1000).
    --max-active <n>          Requests at once (default 8).
    --policy <any|fake_tdx|tdx>  What a proxy must prove before it is served (default any).
    --proxies <n>             Proxies to serve at once (default 1).
    --proxy-via <host:port>   A router on this computer by which proxies are reached (cocoon-desktop router).
    --seal                    Clients may seal questions to this worker, past the proxy. Pay then goes to the role's own wallet, whose
                              key vouches for that; the owner may empty it. In a confidential machine each key has its quote.
    --payout-above <TON>      Pays out by itself as soon as this much is signed at one proxy (default 1).
    --protocol <range>        Protocol versions offered to proxies (default 1-4; from 3 on encrypted requests may come).
    --change-model <program>  Run with a model's name when a proxy asks for that model; without it proxies are refused.
    --machine <json>          Told about this computer to proxies of version 4 (with --protocol 4).
    --key-manager <host:port>  Where the network's private keys come from (default: as the network contract says).
    --key-manager-policy <any|fake_tdx|tdx>  What the key manager must prove (default: as a proxy).
    --http <host:port>        Status for the operator (default none).${commonHelp}
`

export async function workerCommand(args: readonly string[], entries: ChildEntries): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...commonOptions,
      engine: { type: 'string', default: 'builtin' },
      model: { type: 'string' },
      coefficient: { type: 'string', default: '1000' },
      'max-active': { type: 'string', default: '8' },
      policy: { type: 'string', default: 'any' },
      proxies: { type: 'string', default: '1' },
      'proxy-via': { type: 'string' },
      'payout-above': { type: 'string', default: '1' },
      seal: { type: 'boolean', default: false },
      protocol: { type: 'string' },
      'change-model': { type: 'string' },
      machine: { type: 'string' },
      'key-manager': { type: 'string' },
      'key-manager-policy': { type: 'string' },
      http: { type: 'string' },
    },
  })
  if (values.help) return console.log(workerHelp)
  const common = readCommon('worker', values, entries)
  const policy = policyOf('policy', values.policy)
  const via = values['proxy-via'] === undefined ? undefined : routerPlace('proxy-via', values['proxy-via'])
  const own = {
    engine: values.engine,
    model: modelName(values.model),
    coefficient: wholeNumber('coefficient', values.coefficient, 0, 999_999_999),
    maxActive: wholeNumber('max-active', values['max-active'], 1, 100_000),
    policy,
    keyManager: readKeyAccess(values, { policy, ...(via && { via }) }),
    proxies: wholeNumber('proxies', values.proxies, 1, 16),
    ...(via && { proxyVia: via }),
    seals: values.seal,
    payoutAbove: toncoin('payout-above', values['payout-above']),
    ...(values.protocol === undefined ? {} : { versions: versionRange('protocol', values.protocol, 0) }),
    ...(values['change-model'] === undefined ? {} : { changeModel: values['change-model'] }),
    ...(values.machine === undefined ? {} : { machine: jsonText('machine', values.machine) }),
    ...(values.http === undefined ? {} : { http: hostAndPort('http', values.http) }),
  }
  await runRole((signal) => startWorkerRole({ ...common.roleOptions(signal), ...own }), common)
}
