import { parseArgs } from 'node:util'
import type { ChildEntries } from '../../child-entries.ts'
import { clientSeals, startClientRole } from '../../roles/client-role.ts'
import { hostAndPort, oneOf, routerPlace, toncoin, UsageError, versionRange, wholeNumber } from './arguments.ts'
import { commonHelp, commonOptions, policyOf, readCommon } from './common.ts'
import { runRole } from './run-role.ts'

export const clientHelp = `Usage: cocoon-desktop client --network <name or file> [options]

  Answers OpenAI-shaped requests over the network.
    --http <host:port>        Where it listens (default 127.0.0.1:10000).
    --policy <any|fake_tdx|tdx>  What a proxy must prove before it is told anything (default any; tdx with --seal attested).
    --proxies <n>             Proxies at once (default 1).
    --proxy-via <host:port>   A router on this computer by which proxies are reached (cocoon-desktop router).
    --top-up <TON>            May put this much on the account with each proxy, again when half is used. Without it nothing is paid in.
    --protocol <range>        Protocol versions offered to proxies (default 1-4; 1-2 for proxies that stumble over newer ones).
    --encrypt                 Encrypts what programs ask for a key of the network's key manager; without such a key nothing is sent.
    --seal <offered|required|attested|off>  Seals what programs ask to one worker, past the proxy: where that is offered (default), or
                              nothing is sent; attested: the same, where proxy and worker prove all that the app's level Attested asks; off: never.
    --allow-origin <origin>   Web pages of this origin may ask; * for all.${commonHelp}
`

export async function clientCommand(args: readonly string[], entries: ChildEntries): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...commonOptions,
      http: { type: 'string', default: '127.0.0.1:10000' },
      policy: { type: 'string' },
      proxies: { type: 'string', default: '1' },
      'proxy-via': { type: 'string' },
      'top-up': { type: 'string' },
      protocol: { type: 'string' },
      encrypt: { type: 'boolean', default: false },
      seal: { type: 'string', default: 'offered' },
      'allow-origin': { type: 'string' },
    },
  })
  if (values.help) return console.log(clientHelp)
  const common = readCommon('client', values, entries)
  const seal = oneOf('seal', values.seal, clientSeals)
  if (values.encrypt && (seal === 'required' || seal === 'attested'))
    throw new UsageError(`--encrypt is for the proxy to read, too: it does not go with --seal ${seal}.`)
  const policy = policyOf('policy', values.policy ?? (seal === 'attested' ? 'tdx' : 'any'))
  if (seal === 'attested' && policy !== 'tdx')
    throw new UsageError(`--seal attested takes proxies by --policy tdx, not by ${policy}.`)
  if (seal === 'attested' && values['proxy-via'] !== undefined)
    throw new UsageError('--seal attested looks at the proxies itself: it does not go with --proxy-via.')
  const own = {
    http: hostAndPort('http', values.http),
    policy,
    proxies: wholeNumber('proxies', values.proxies, 1, 16),
    encrypts: values.encrypt,
    seal,
    ...(values['proxy-via'] === undefined ? {} : { proxyVia: routerPlace('proxy-via', values['proxy-via']) }),
    ...(values['top-up'] === undefined ? {} : { topUp: toncoin('top-up', values['top-up']) }),
    ...(values.protocol === undefined ? {} : { versions: versionRange('protocol', values.protocol, 1) }),
    ...(values['allow-origin'] === undefined ? {} : { allowOrigin: values['allow-origin'] }),
  }
  await runRole((signal) => startClientRole({ ...common.roleOptions(signal), ...own }), common)
}
