import { Address, beginCell, Cell, loadStateInit, storeStateInit } from '@ton/core'
import { SessionCrypto } from '@tonconnect/sdk'
import type { Chain } from '../../ton/chain.ts'
import { unsignedW5, W5Wallet, type WalletKeyPair, w5Address } from '../w5-wallet.ts'

type Answer = 'approves' | 'declines' | 'stays silent'

/**
 * The other end of TON Connect: a wallet with a key of its own that reads the link, connects, and does with each request what it was told.
 * What it approves it signs and sends to the real embedded chain.
 */
export class PhoneWallet {
  readonly address: Address
  answer: Answer = 'approves'
  /** Network that it says it is set to. */
  network: string
  /** Address and name that it says are its own. */
  saysAddress: string
  saysName = 'PhoneWallet'
  readonly asked: string[] = []
  readonly #chain: Chain
  readonly #keyPair: WalletKeyPair
  readonly #session = new SessionCrypto()
  readonly #ending = new AbortController()

  constructor(chain: Chain, keyPair: WalletKeyPair) {
    this.#chain = chain
    this.#keyPair = keyPair
    this.address = w5Address(keyPair.publicKey, chain.kind)
    this.saysAddress = this.address.toRawString()
    this.network = chain.kind === 'mainnet' ? '-239' : '-3'
  }

  /** Reads the link as a phone does that scanned it. */
  async scan(link: string, bridgeUrl: string): Promise<void> {
    const dapp = new URL(link).searchParams.get('id') ?? ''
    void this.#listen(bridgeUrl, dapp).catch(() => undefined)
    if (this.answer === 'declines') {
      await this.#say(bridgeUrl, dapp, { event: 'connect_error', id: 0, payload: { code: 300, message: 'no' } })
      return
    }
    const { init } = unsignedW5(this.#keyPair.publicKey, this.#chain.kind)
    const item = {
      name: 'ton_addr',
      address: this.saysAddress,
      network: this.network,
      publicKey: Buffer.from(this.#keyPair.publicKey).toString('hex'),
      walletStateInit: beginCell().store(storeStateInit(init)).endCell().toBoc().toString('base64'),
    }
    const features = ['SendTransaction', { name: 'SendTransaction', maxMessages: 4 }]
    const device = { platform: 'linux', appName: this.saysName, appVersion: '1', maxProtocolVersion: 2, features }
    await this.#say(bridgeUrl, dapp, { event: 'connect', id: 0, payload: { items: [item], device } })
  }

  close(): void {
    this.#ending.abort()
  }

  async #say(bridgeUrl: string, to: string, message: object): Promise<void> {
    const sealed = this.#session.encrypt(JSON.stringify(message), Buffer.from(to, 'hex'))
    await fetch(`${bridgeUrl}/message?client_id=${this.#session.sessionId}&to=${to}&ttl=300`, {
      method: 'POST',
      body: Buffer.from(sealed).toString('base64'),
    })
  }

  async #listen(bridgeUrl: string, dapp: string): Promise<void> {
    const response = await fetch(`${bridgeUrl}/events?client_id=${this.#session.sessionId}`, { signal: this.#ending.signal })
    let text = ''
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString('utf8')
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1]
        text = text.slice(end + 2)
        if (data !== undefined) await this.#take(bridgeUrl, dapp, data)
      }
    }
  }

  async #take(bridgeUrl: string, dapp: string, data: string): Promise<void> {
    const { from, message } = JSON.parse(data) as { from: string; message: string }
    const opened = this.#session.decrypt(Buffer.from(message, 'base64'), Buffer.from(from, 'hex'))
    const request = JSON.parse(opened) as { id: string; method: string; params: string[] }
    this.asked.push(opened)
    if (request.method !== 'sendTransaction' || this.answer === 'stays silent') return
    if (this.answer === 'declines') {
      await this.#say(bridgeUrl, dapp, { id: request.id, error: { code: 300, message: 'no' } })
      return
    }
    const { messages } = JSON.parse(request.params[0] ?? '') as {
      messages: Array<{ address: string; amount: string; payload?: string; stateInit?: string }>
    }
    await new W5Wallet(this.#chain, this.#keyPair, { pollMs: 20 }).send(
      messages.map(({ address, amount, payload, stateInit }) => ({
        to: Address.parse(address),
        value: BigInt(amount),
        body: payload === undefined ? beginCell().endCell() : Cell.fromBase64(payload),
        bounce: Address.parseFriendly(address).isBounceable,
        mode: 1,
        ...(stateInit === undefined ? {} : { init: loadStateInit(Cell.fromBase64(stateInit).beginParse()) }),
      })),
    )
    await this.#say(bridgeUrl, dapp, { id: request.id, result: beginCell().endCell().toBoc().toString('base64') })
  }
}
