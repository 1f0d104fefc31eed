import { ArrowDownLeft, ArrowUpRight, ReceiptText, Undo2, WalletMinimal } from 'lucide-react'
import type { WalletState, WalletTransaction } from '../../../preload/api/system.ts'
import { useStream } from '../api/use-stream.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { groupedAddress, shortAddress } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { CopyButton } from '../ui/copy-button.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { ErrorNote, Refusal } from '../ui/error-note.tsx'
import { Icon } from '../ui/icon.tsx'
import { Figure, Money } from '../ui/money.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { Skeleton } from '../ui/skeleton.tsx'

export function WalletScreen() {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const { value: wallet, error } = useStream('wallet.state', {})
  return (
    <main className="page" data-region="content">
      <div className="page-inner">
        <div className="page-head">
          <ScreenTitle>{t('screen.wallet')}</ScreenTitle>
          {wallet?.network === 'local' ? <span className="chip chip-outline">{t('network.localChip')}</span> : null}
          {wallet?.readAtMs === undefined ? null : (
            <span className="num ms-auto text-xs text-ink-3">
              {t('wallet.readAt', { time: format.clock(wallet.readAtMs, true) })}
            </span>
          )}
        </div>
        {error ? <Refusal error={error} /> : null}
        {wallet?.error ? (
          <ErrorNote title={t('wallet.problem')}>
            <p>{said(wallet.error, wallet.errorWords)}</p>
          </ErrorNote>
        ) : null}
        {wallet?.returning?.length ? (
          <section className="flex flex-col gap-2" aria-label={t('wallet.returning')}>
            {wallet.returning.map((one) => (
              <Returning key={one.contract} {...one} />
            ))}
          </section>
        ) : null}
        {wallet?.status === 'closed' ? (
          <section className="card">
            <EmptyState icon={WalletMinimal} title={t('wallet.closed')} text={t('wallet.closedText')} />
          </section>
        ) : wallet?.user ? (
          <div className="two-columns items-stretch!">
            <Balance wallet={wallet} />
            <Addresses wallet={wallet} />
          </div>
        ) : error || wallet?.status === 'error' ? null : (
          <Skeleton awaited={t('wallet.loading')} />
        )}
        {wallet && wallet.status !== 'closed' ? <Activity transactions={wallet.transactions} /> : null}
      </div>
    </main>
  )
}

/** New terms of a network give new contracts; what is left in an older one comes back by itself. */
function Returning({ amount, contract, phase, unlockAtMs }: NonNullable<WalletState['returning']>[number]) {
  const { t } = useTexts()
  const format = useFormat()
  return (
    <div className="banner banner-plain num">
      <Icon of={Undo2} size={18} />
      <div className="min-w-0 flex-1">
        <b className="text-ink" title={contract}>
          {t('wallet.returningAmount', { amount: format.figure(amount) })}
        </b>
        <p>
          {phase === 'closing' && unlockAtMs !== undefined
            ? t('wallet.returningClosing', { time: format.clock(unlockAtMs, true) })
            : t(phase === 'owed' ? 'wallet.returningOwed' : 'wallet.returningWaiting')}
        </p>
      </div>
    </div>
  )
}

function Balance({ wallet }: { wallet: WalletState }) {
  const { t } = useTexts()
  const format = useFormat()
  const earn = useStream('earn.state', {}).value
  const { user, chat, node } = wallet
  return (
    <section className="card flex flex-col" aria-label={t('wallet.balance')}>
      <div className="figure-big num flex flex-1 flex-col justify-center px-5 py-5" data-testid="wallet-balance">
        <span className="figure-label">{t('wallet.canSpend')}</span>
        {user ? <Figure nano={user.balance} /> : null}
        <span className="text-ink-2">{t('wallet.testCoins')}</span>
      </div>
      <div className="cells num border-t border-line">
        <div>
          <span className="figure-label">{t('wallet.chat')}</span>
          {chat ? (
            <>
              <b className="block text-lg">
                <Money nano={chat.balance} />
              </b>
              <span className="block text-xs text-ink-2">
                {t('wallet.chatWithdraw', { amount: format.figure(chat.withdrawable) })}
              </span>
              {chat.pendingCharge > 0n ? (
                <span className="block text-xs text-ink-2">
                  {t('wallet.chatPending', { amount: format.figure(chat.pendingCharge, 'up') })}
                </span>
              ) : null}
            </>
          ) : (
            <span className="block text-sm text-ink-3">{t('wallet.notYet')}</span>
          )}
        </div>
        <div>
          <span className="figure-label">{t('wallet.pending')}</span>
          {earn ? (
            <>
              <b className="block text-lg">
                <Money nano={earn.pending} />
              </b>
              <span className="block text-xs text-ink-2">{t('wallet.pendingText')}</span>
            </>
          ) : (
            <span className="block text-sm text-ink-3">{t('wallet.notYet')}</span>
          )}
        </div>
        <div>
          <span className="figure-label">{t('wallet.node')}</span>
          {node ? (
            <>
              <b className="block text-lg">
                <Money nano={node.balance} />
              </b>
              <span className="block text-xs text-ink-2">{t('wallet.nodeText')}</span>
            </>
          ) : (
            <span className="block text-sm text-ink-3">{t('wallet.notYet')}</span>
          )}
        </div>
      </div>
    </section>
  )
}

function Addresses({ wallet }: { wallet: WalletState }) {
  const { t } = useTexts()
  const rows = [
    { name: t('wallet.yourAddress'), address: wallet.user?.address },
    { name: t('wallet.nodeAddress'), address: wallet.node?.address },
    { name: t('wallet.chatContract'), address: wallet.chat?.contract },
  ]
  return (
    <section className="card flex flex-col gap-4 p-5" aria-label={t('wallet.addresses')}>
      {rows.map(({ name, address }) =>
        address ? (
          <div key={name}>
            <div className="flex items-center">
              <h2 className="flex-1">{name}</h2>
              <CopyButton withWord value={address} label={t('action.copyOf', { name })} />
            </div>
            <p className="mono mt-0.5 flex flex-wrap gap-x-[0.6em] text-xs text-ink-2">
              {groupedAddress(address).map((group, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: groups of one address keep their places
                <span key={index}>{group}</span>
              ))}
            </p>
          </div>
        ) : null,
      )}
    </section>
  )
}

function Activity({ transactions }: { transactions: readonly WalletTransaction[] }) {
  const { t } = useTexts()
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('wallet.activity')}</h2>
        <span className="text-xs text-ink-3">{t('wallet.activityNote')}</span>
      </div>
      {transactions.length === 0 ? (
        <EmptyState icon={ReceiptText} title={t('wallet.none')} text={t('wallet.noneText')} />
      ) : (
        <ScrollRegion label={t('wallet.activity')} className="table-scroll mt-2">
          <table className="table num">
            <thead className="sr-only">
              <tr>
                <th>{t('column.direction')}</th>
                <th>{t('column.what')}</th>
                <th>{t('column.date')}</th>
                <th>{t('column.fee')}</th>
                <th>{t('column.amount')}</th>
              </tr>
            </thead>
            <tbody>
              {transactions.map((one) => (
                <Transaction key={one.id} transaction={one} />
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}

function Transaction({ transaction }: { transaction: WalletTransaction }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const incoming = transaction.direction === 'in'
  const size = transaction.amount < 0n ? -transaction.amount : transaction.amount
  return (
    <tr>
      <td className="w-[46px]">
        <span className="state-icon h-[34px]! w-[34px]!">
          <Icon of={incoming ? ArrowDownLeft : ArrowUpRight} />
          <span className="sr-only">{incoming ? t('wallet.in') : t('wallet.out')}</span>
        </span>
      </td>
      <td className="ps-0!">
        <span dir="auto" className="block font-medium">
          {said(transaction.title)}
        </span>
        {transaction.counterparty ? (
          <span className="text-xs text-ink-3" title={transaction.counterparty}>
            {t(incoming ? 'wallet.from' : 'wallet.to', { address: shortAddress(transaction.counterparty) })}
          </span>
        ) : null}
      </td>
      <td className="text-ink-2">{format.dateTime(transaction.atMs)}</td>
      <td className="text-xs text-ink-2">{t('wallet.fee', { amount: format.exact(transaction.fee) })}</td>
      <td className="end font-medium">{format.change(incoming ? size : -size)}</td>
    </tr>
  )
}
