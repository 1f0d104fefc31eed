import type { Address } from '@ton/core'
import { Failure } from '../../base/failure.ts'
import type { Payer } from '../../network/rehearsal.ts'
import type { Chain } from '../../ton/chain.ts'
import { openKeyFile } from '../../wallet/key-file.ts'
import { keyPairOfPhrase } from '../../wallet/phrase.ts'
import { readSecretFile } from '../../wallet/secret-file.ts'
import type { Sender } from '../../wallet/sender.ts'
import { unsignedW5, W5Wallet, type WalletKeyPair } from '../../wallet/w5-wallet.ts'

/** How a secret comes in: never as an argument, which every user of a computer can see in the list of processes. */
export type SecretSource =
  | { readonly kind: 'ask' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }

/** Which wallet signs. */
export type SignerChoice =
  | { readonly kind: 'local-owner' }
  | { readonly kind: 'phrase'; readonly from: SecretSource }
  | { readonly kind: 'key-file'; readonly path: string; readonly password: SecretSource }
  | { readonly kind: 'ton-connect'; readonly manifestUrl: string; readonly bridgeUrl: string; readonly universalLink: string }

export interface Signer {
  readonly sender: Sender
  readonly payer: Payer
  close(): Promise<void>
}

/** Asks for a secret without showing it. */
export type AskSecret = (question: string) => Promise<string>

/**
 * Opens the wallet that signs, a W5 (v5r1) one.
 * @param faucet key of the local chain's owner, for `local-owner`
 * @param context.showLink shows what a TON Connect wallet has to open or scan
 * @throws Failure of phrase or key file, of TON Connect, `secret-missing`, `signer-missing`; none holds a piece of a secret
 */
export async function openSigner(
  choice: SignerChoice,
  chain: Chain,
  context: { readonly faucet: WalletKeyPair | null; readonly ask: AskSecret; readonly showLink: (link: string) => void },
): Promise<Signer> {
  const { faucet, ask, showLink } = context
  if (choice.kind === 'local-owner') {
    if (faucet === null)
      throw new Failure('signer-missing', 'Which wallet signs has to be said.', {
        advice: 'Give --phrase to be asked for the words, or --phrase-file, --phrase-env, --key-file or --ton-connect.',
      })
    return w5Signer(faucet, chain, "the local network owner's wallet")
  }
  if (choice.kind === 'ton-connect') {
    const { kind } = chain
    if (kind === 'local')
      throw new Failure('signer-missing', 'A wallet of another program does not know the local chain.', {
        advice: "Sign there with a phrase or a key file, or with none for the local network owner's wallet.",
      })
    const { connectWallet } = await import('../../wallet/ton-connect.ts')
    const wallet = await connectWallet({ ...choice, chain: kind, showLink })
    const payer = { address: wallet.address, label: `your wallet in ${wallet.name}` }
    return { sender: wallet, payer, close: () => wallet.close() }
  }
  const pair =
    choice.kind === 'key-file'
      ? await openKeyFile(choice.path, () => readSecret(choice.password, ask, 'Password of the key file'))
      : await keyPairOfPhrase((await readSecret(choice.from, ask, 'Recovery phrase, 24 words')).trim().split(/\s+/))
  return w5Signer(pair, chain, 'your wallet')
}

export function w5Signer(pair: WalletKeyPair, chain: Chain, label: string): Signer {
  const wallet = new W5Wallet(chain, pair)
  const address: Address = wallet.address
  return {
    sender: wallet,
    payer: { address, label, scheme: unsignedW5(pair.publicKey, chain.kind) },
    close: async () => wallet.close(),
  }
}

/** @throws Failure `secret-missing`, of the file, of the terminal */
export async function readSecret(source: SecretSource, ask: AskSecret, question: string): Promise<string> {
  if (source.kind === 'ask') return ask(question)
  const text = source.kind === 'file' ? readSecretFile(source.path) : process.env[source.name]
  if (source.kind === 'env') delete process.env[source.name]
  if (text === undefined || text.trim() === '')
    throw new Failure(
      'secret-missing',
      source.kind === 'env' ? `The environment has no ${source.name}.` : `${source.path} is empty.`,
    )
  return text.replace(/\r?\n$/, '')
}
