import { randomBytes } from 'node:crypto'
import { keyPairFromSeed } from '@ton/crypto'
import { Failure } from '../../base/failure.ts'
import { writeKeyFile } from '../../wallet/key-file.ts'
import { keyPairOfPhrase } from '../../wallet/phrase.ts'
import { w5Address } from '../../wallet/w5-wallet.ts'
import { type Operator, printAll } from './operator.ts'
import { factLines } from './plan-text.ts'
import { type AskSecret, readSecret, type SecretSource } from './signer.ts'

/**
 * `network make-key`: seals a wallet's key under a password into a new file: the key of a phrase, or a new one that is nowhere else.
 * @throws Failure of phrase and key file; none holds a piece of a secret
 */
export async function makeKeyCommand(
  options: { readonly out: string; readonly phrase: SecretSource | undefined; readonly password: SecretSource },
  ask: AskSecret,
  operator: Operator,
): Promise<void> {
  const { out, phrase } = options
  const seed =
    phrase === undefined
      ? randomBytes(32)
      : (
          await keyPairOfPhrase((await readSecret(phrase, ask, 'Recovery phrase, 24 words')).trim().split(/\s+/))
        ).secretKey.subarray(0, 32)
  const password = await readSecret(options.password, ask, 'New password for the key file')
  // A slip in a password that nobody sees would lock the wallet for ever.
  if (options.password.kind === 'ask' && (await ask('The same password once more')) !== password)
    throw new Failure('key-file-password-differs', 'The two passwords differ; no file was written.', { retryable: true })
  await writeKeyFile(out, seed, password)
  const { publicKey } = keyPairFromSeed(Buffer.from(seed))
  printAll(operator, [
    `Wrote ${out} (mode 0600). Addresses of its W5 wallet:`,
    ...factLines([
      { label: 'main network', value: w5Address(publicKey, 'mainnet').toString({ bounceable: false }) },
      { label: 'test network', value: w5Address(publicKey, 'testnet').toString({ bounceable: false, testOnly: true }) },
      { label: 'local chain', value: w5Address(publicKey, 'local').toString({ bounceable: false }) },
    ]),
    ...(phrase === undefined
      ? ['This is a new key. The file and its password are its only copy: keep both in two places before you send money there.']
      : []),
  ])
}
