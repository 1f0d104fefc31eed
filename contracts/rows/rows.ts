// Every row of every table of the contracts' protocol, and the dangers that each of them has to withstand. A row without an example
// that works and one that is refused fails the tests, and so does a danger without an example.

export type Hazard =
  /** somebody who may not */
  | 'sender'
  /** too little attached */
  | 'value'
  /** closing, closed, or not yet */
  | 'state'
  /** a total that is not larger */
  | 'old'
  /** signed for another contract */
  | 'contract'
  /** a broken or foreign signature, an envelope that does not belong to its payload */
  | 'signature'
  /** the same message once more */
  | 'replay'
  /** the same body as a bounced message */
  | 'bounced'
  /** more or less than the layout has */
  | 'format'
  /** the smallest amounts */
  | 'dust'
  /** the largest amounts */
  | 'maximum'
  /** rent that was not paid for a long time */
  | 'storage'

export interface Row {
  readonly text: string
  readonly hazards: readonly Hazard[]
  /** Why nothing of this row can be refused, or can work. */
  readonly oneSided?: string
}

const row = (text: string, ...hazards: Hazard[]): Row => ({ text, hazards })
const owned: Hazard[] = ['sender', 'format', 'bounced']
const signed: Hazard[] = ['signature', 'contract', 'replay', 'bounced', 'format', 'value', 'state']
const fromContract: Hazard[] = ['sender', 'format', 'bounced']

const common = {
  'common/empty': row('an empty body is ignored by all contracts'),
  'common/bounced': row('a bounced message is ignored by all contracts, unless it is a request of their own'),
  'common/memo': row('do_not_process is ignored by all contracts'),
  'common/query-id': row('the query id is echoed in every resulting message'),
  'common/leave-client-worker': row(
    'client and worker keep the balance before the message and the rent, at least 0.11',
    'storage',
  ),
  'common/leave-proxy': row('the proxy keeps the balance before the message and the rent, at least 0.01', 'storage'),
  'common/excesses': row('excesses: unused value, non-bounceable, the whole rest'),
  'common/payout': row('payout: money to an owner, non-bounceable'),
} as const

const exits = {
  'exit/1000': row('old message'),
  'exit/1001': row('contract balance too low'),
  'exit/1002': row('low balance'),
  'exit/1003': row('message value too low'),
  'exit/1004': row('format'),
  'exit/1005': row('signed format'),
  'exit/1006': row('wrong state or closed'),
  'exit/1007': row('bad signature'),
  'exit/1008': row('damaged data or unknown struct version'),
  'exit/1009': {
    text: 'expected owner',
    hazards: [],
    oneSided: 'no operation of the tables has a use for it: the owner is who 1010 asks for',
  } as Row,
  'exit/1010': row('message must come from owner'),
  'exit/1011': row('not unlocked yet'),
  'exit/1012': row('unknown op'),
  'exit/1013': row('unknown text command'),
  'exit/1014': row('sender address not derivable'),
  'exit/1015': row('payload names another contract'),
  'exit/2000': row('unknown proxy entry'),
  'exit/1030': row('wallet: expired'),
  'exit/1031': row('wallet: blocked'),
  'exit/1032': row('wallet: seqno'),
  'exit/1033': row('wallet: subwallet'),
  'exit/1034': row('wallet: signature'),
  'exit/1035': row('wallet: balance below 2 TON'),
  'exit/1040': row('wallet: not owner'),
  'exit/1041': row('wallet: unknown command'),
} as const

const params = {
  'params/struct-version': row('u8, 0 to 5', 'maximum'),
  'params/params-version': row('u32', 'maximum'),
  'params/unique-id': row('u32', 'maximum'),
  'params/is-test': row('1 bit'),
  'params/price': row('price_per_token: coins', 'maximum'),
  'params/fee': row('worker_fee_per_token: coins', 'maximum'),
  'params/multipliers': row('prompt, cached, completion, reasoning: 4 x u32', 'maximum'),
  'params/proxy-delay': row('proxy_delay_before_close: u32 seconds', 'maximum'),
  'params/client-delay': row('client_delay_before_close: u32 seconds', 'maximum'),
  'params/stakes': row('min_proxy_stake, min_client_stake: coins', 'maximum'),
  'params/codes': row('proxy, worker, client code: 3 x maybe ^cell'),
  'params/version-0': row('no multipliers, stakes of 1 TON'),
  'params/version-1': row('no multipliers'),
  'params/version-2': row('cached and reasoning multipliers only'),
  'params/version-4': row('as version 3, another version byte'),
  'params/version-5': row('as version 3, another version byte'),
} as const

const layouts = {
  'code-refs/root': row('a root keeps all three code references'),
  'code-refs/proxy': row('a proxy contract keeps worker and client code'),
  'code-refs/worker-client': row('worker and client contracts keep none'),
  'state-init/address': row('workchain 0, hash of the StateInit with code and data'),
  'init/proxy': row('initial data of a proxy contract'),
  'init/worker': row('initial data of a worker contract'),
  'init/client': row('initial data of a client contract'),
  'root/storage': row('owner, version, data, params; nothing behind', 'format'),
  'root/newer': row('struct versions 4 and 5 are read, later ones reported'),
  'root/proxy-entry': row('bit 0, u7 length, ip:port or two of them', 'format', 'maximum'),
  'root/key-manager': row('version 4: keys, key manager, image hash, address', 'format'),
  'root/verified-keys': row('version 5: three lists of keys', 'format'),
} as const

const rootOps = {
  'root/add-worker-hash': row('e34b1c60 u256', ...owned),
  'root/del-worker-hash': row('8d94a79a u256', ...owned),
  'root/add-model-hash': row('c146134d u256', ...owned),
  'root/del-model-hash': row('92b11c18 u256', ...owned),
  'root/add-proxy-hash': row('71860e80 u256', ...owned),
  'root/del-proxy-hash': row('3c41d0b2 u256', ...owned),
  'root/register-proxy': row('927c7cb5 entry; last_proxy_seqno += 1, used as key', ...owned),
  'root/unregister-proxy': row('6d49eaf2 u32 seqno', ...owned),
  'root/update-proxy': row('9c7924ba u32 seqno, entry; 2000 if unknown', ...owned),
  'root/change-price': row('c52ed8d4 coins, coins; params_version += 1', ...owned, 'maximum'),
  'root/change-params': row('022fa189 prices, delays, stakes; params_version += 1', ...owned, 'maximum'),
  'root/upgrade-contracts': row('a2370f61 three codes; params_version += 1', ...owned),
  'root/upgrade-code': row('11aefd51 code', ...owned),
  'root/reset': row('563c1d96 clears all four dicts', ...owned),
  'root/full-upgrade': row('4f7c5789 data, code; version comes from the data', ...owned),
  'root/change-owner': row('c4a1ae54 addr', ...owned),
  'root/change-params-full': {
    text: '9f1e69dc declared only, not handled',
    hazards: [],
    oneSided: 'nothing handles it',
  } as Row,
  'root/add-public-key': row('6e5a646a u256, u8, u32; versions 4 and 5', ...owned),
  'root/add-public-key-signed': row(
    '9e0e1821 signed by the key manager; versions 4 and 5',
    'signature',
    'replay',
    'old',
    'bounced',
    'format',
  ),
  'root/change-key-manager': row('b01c0fe9 key, image hash, address; versions 4 and 5', ...owned),
  'root/get-cocoon-data': row('getter, 10 values'),
  'root/get-cur-params': row('getter, 14 values'),
  'root/last-proxy-seqno': row('getter'),
  'root/proxy-hash-is-valid': row('getter, -1 or 0'),
  'root/worker-hash-is-valid': row('getter, -1 or 0'),
  'root/model-hash-is-valid': row('getter, -1 or 0'),
} as const

const envelopes = {
  'signed/envelope': row('op, qid, excesses, signature, ^payload; nothing behind', 'format'),
  'signed/payload': row('op, qid, tokens, this contract', 'format', 'maximum'),
  'signed/repack': row('anyone may replace the receiver of the surplus'),
  'signed/wire': row('a BoC of any valid form with one root', 'format'),
  'signed/client-charge': row('bb63ff93, client contract, tokens > stored', ...signed, 'old', 'maximum'),
  'signed/client-grant-refund': row('efd711e1, client contract, tokens >= stored', ...signed, 'old'),
  'signed/worker-payout': row('a040ad28, worker contract, tokens > stored', ...signed, 'old', 'maximum'),
  'signed/worker-last-payout': row('f5f26a36, worker contract, tokens >= stored', ...signed, 'old'),
  'signed/proxy-close-request': row('636a4391, proxy contract', ...signed),
  'signed/proxy-close-complete': row('e511abc7, proxy contract', ...signed),
} as const

const proxy = {
  'proxy/states': row('0 normal, 1 closing with the proxy delay, 2 closed'),
  'proxy/worker-request': row('4d725d2c without payload: accepted, nothing', 'bounced', 'format'),
  'proxy/payout': row('payload 08e7d036: pays the worker, books the commission', ...fromContract, 'state', 'dust', 'maximum'),
  'proxy/client-request': row('65448ff4 without payload: accepted, nothing', 'bounced', 'format'),
  'proxy/top-up': row('payload 5cfc6b87: normal keeps the amount, else it returns to the client owner', ...fromContract, 'state'),
  'proxy/register': row('payload a35cb580: nothing on chain', ...fromContract),
  'proxy/refund-granted': row('payload c68ebc7b: pays the client owner', ...fromContract, 'maximum'),
  'proxy/refund-force': row('payload f4c354c9: at most the stake', ...fromContract, 'state'),
  'proxy/payout-request': row(
    '7610e6eb anyone: commission to the owner',
    'value',
    'state',
    'bounced',
    'format',
    'replay',
    'dust',
  ),
  'proxy/increase-stake': row('9713f187 anyone: value >= coins + 0.1', 'value', 'state', 'bounced', 'format', 'dust', 'maximum'),
  'proxy/close-request': row('anyone with the signature: 0 -> 1', 'value', 'state'),
  'proxy/close-complete': row('anyone with the signature: 1 -> 2 after the delay; the owner gets what is his', 'value', 'state'),
  'proxy/owner-close': row('b51d5a01 owner: 0 -> 1', 'sender', 'value', 'state', 'bounced', 'format'),
  'proxy/text-c': row('text c, owner: as owner close', 'sender', 'value', 'state', 'bounced', 'format'),
  'proxy/text-w': row('text w, owner: pays the commission', 'sender', 'value', 'bounced', 'format', 'replay'),
  'proxy/memo': row('9a1247c0 anyone: ignored, also the state commit'),
  'proxy/getter': row('get_cocoon_proxy_data, 12 values'),
} as const

const client = {
  'client/top-up': row(
    'f172e6c2 anyone: balance += amount, forwarded',
    'value',
    'state',
    'bounced',
    'format',
    'dust',
    'maximum',
    'storage',
  ),
  'client/change-secret-top-up': row('8473b408 owner: both', 'sender', 'value', 'state', 'bounced', 'format'),
  'client/change-secret': row('a9357034 owner: secret_hash', 'sender', 'value', 'state', 'bounced', 'format'),
  'client/register': row('c45f9f3b owner: forwards the nonce', 'sender', 'value', 'state', 'bounced', 'format', 'maximum'),
  'client/increase-stake': row(
    '6a1f6a60 owner: new stake must be larger',
    'sender',
    'value',
    'state',
    'bounced',
    'format',
    'maximum',
  ),
  'client/withdraw': row(
    'da068e78 owner: pays balance - stake',
    'sender',
    'value',
    'state',
    'bounced',
    'format',
    'dust',
    'replay',
  ),
  'client/request-refund': row(
    'fafa6cc1 owner: closing, then closed with a forced refund',
    'sender',
    'value',
    'state',
    'bounced',
    'format',
  ),
  'client/charge': row('bb63ff93 anyone: used = tokens, balance -= difference x price', 'value', 'state', 'old'),
  'client/grant-refund': row(
    'efd711e1 anyone: as charge, then closed and paid; closed while balance > 0',
    'value',
    'state',
    'old',
  ),
  'client/refund-unpaid': row(
    '5d3c8e10 the proxy contract: this much of a refund was not paid and is owed again',
    ...fromContract,
    'value',
    'dust',
    'storage',
  ),
  'client/top-up-reopen': { text: '29111ceb id only', hazards: [], oneSided: 'nothing implements it' } as Row,
  'client/notice': row('every accepted message ends with a client request; 1 nanoton where nothing moves'),
  'client/getter': row('get_cocoon_client_data, 9 values'),
  'client/deploy': row('(uninit) -> normal by any message with StateInit', 'value', 'state'),
  'client/close-by-owner': row('normal -> closing -> closed by two requests', 'state'),
  'client/close-by-grant': row('normal or closing -> closed by a grant', 'state'),
  'client/closing': row('closing: charge, top up, secret, stake, register', 'state'),
} as const

const worker = {
  'worker/payout': row('a040ad28 anyone: pays the difference', 'value', 'state', 'old', 'dust', 'storage'),
  'worker/last-payout': row('f5f26a36 anyone: the same, then closed', 'value', 'state', 'old'),
  'worker/register': row('26ed7f65 owner: informs the proxy', 'sender', 'value', 'state', 'bounced', 'format'),
  'worker/closed': row('closed: everything fails with 1006'),
  'worker/getter': row('get_cocoon_worker_data, 5 values'),
} as const

const wallet = {
  'wallet/address': row('StateInit with the deployed code; seqno 0, status 0'),
  'wallet/external': row('signature, subwallet, valid_until, seqno, 1 to 4 messages', 'signature', 'replay', 'format'),
  'wallet/requirements': row('valid, seqno, not blocked, at least 2 TON', 'value', 'state'),
  'wallet/first-message': row('the first external message carries the StateInit'),
  'wallet/silent': row('empty, excesses, payout and do_not_process are accepted silently'),
  'wallet/owner-send': row('9c69f376 owner: sends a message', 'sender', 'format'),
  'wallet/text-w': row('w: everything except 0.01 TON to the owner, bounceable', 'sender', 'format'),
  'wallet/text-b': row('b: blocks external messages', 'sender', 'format'),
  'wallet/text-u': row('u: unblocks', 'sender', 'format'),
  'wallet/getters': row('seqno, get_public_key, get_owner_address'),
} as const

const all = {
  ...common,
  ...exits,
  ...params,
  ...layouts,
  ...rootOps,
  ...envelopes,
  ...proxy,
  ...client,
  ...worker,
  ...wallet,
} as const

export type RowId = keyof typeof all
export const ROWS: Readonly<Record<RowId, Row>> = all
