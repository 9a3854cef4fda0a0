"""The connectors' own decorators on a function of yours: retry, breaker, limit, deadline."""

import asyncio
from collections.abc import Iterator

from sentio_async import RetryPolicy, circuit_breaker, errors, rate_limit, retry
from sentio_async.resilience import BreakerPolicy, CircuitBreaker, with_deadline

breaker = CircuitBreaker(BreakerPolicy(failures=3, open_for=60), name="sentiment")
answers: Iterator[type[OSError] | float] = iter([ConnectionResetError, TimeoutError, 0.7])


@retry(RetryPolicy(attempts=3, first_delay=0.02))
@rate_limit(20, 1.0)
@circuit_breaker(breaker)
async def fetch_sentiment(symbol: str) -> float:
    """A service that fails twice, answers once, and is down from then on."""
    answer = next(answers, ConnectionRefusedError)
    if isinstance(answer, type):
        raise answer(f"sentiment of {symbol}")
    return answer


async def main() -> None:
    async with with_deadline(5.0):
        print("third try:", await fetch_sentiment("AAPL"))
    for _ in range(2):
        try:
            await fetch_sentiment("AAPL")
        except ConnectionRefusedError as error:
            print(f"given up ({error.__notes__[-1]}); {breaker.state.value}")
        except errors.CircuitOpenError as error:
            print(f"not even tried; again in {error.retry_in:.0f} s")


if __name__ == "__main__":
    asyncio.run(main())
