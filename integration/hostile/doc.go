// Package hostile attacks nodes, in virtual time: its tests have a peer that
// speaks the wire by hand and lies in every field, as one that asks and as one
// that is asked. Each asserts that what is honest goes on meanwhile; and when
// the attackers have left, that no node has more goroutines, connections, peers
// or places in use than before, that what it keeps for strangers is within its
// caps, and that the true pipe is found afresh and answers from every node.
//
// Peers that ask a node, with the tests that show what comes of it:
//
//	records forged, foreign, expired, future, oversized,   TestRecordsThatAreNoGoodAreNotHeld
//	  truncated, of another pipe, beyond the numbers
//	records replayed, by their binder and by others        TestReplayedRecordsChangeNothing
//	capabilities passed on, of others, expired, chained    TestCapabilitiesThatDoNotFitBindNothing
//	requests that are none; queries without proof          TestRequestsThatAreNoneAreTurnedAway
//	term and seq at the maximum, by strangers              TestStrangersTakeNoPipeByTheHighestNumbers
//	seq at the maximum, by who may bind                    TestOwnerTakesAPipeBackFromABinderAtTheHighestSeq
//	term at the maximum, by who may bind                   TestOwnerTakesAPipeBackFromABinderAtTheHighestTerm
//	`replaced` forged                                      TestForgedReplacedStopsNoBinder
//	revocations forged                                     TestForgedRevocationsVoidNothing
//	revocations without end                                TestRevocationFloodsArePaidByTheirSender
//	streams half open, both protocols                      TestHalfOpenStreamsAreDropped
//	query floods by many peers of one network              TestQueryFloodsStarveNobody
//	store floods                                           TestStoreFloodsCostTheirSenderByTheRecord
//	IDs ground round a chosen holder                       TestStoreFloodsOfGroundIDsFillNoMoreThanTheirQuota
//	the same from many networks (tag full)                 TestAFullHolderKeepsWhatFewHaveBrought
//	Open with nonsense                                     TestOpenWithNonsenseIsRefused
//	Open floods                                            TestOpenFloodsLeavePlacesToOthers
//	handshakes of secure pipes left half done or forged    TestHandshakesLeftHalfDoneAreDropped
//
// Peers that a node asks:
//
//	liars of every kind, a third of the nodes              TestATruePipeIsFoundAmongLiarsOfEveryKind
//	false "not found", three quarters of the holders       TestFalseNotFoundOfTheMajorityOfHoldersHidesNothing
//	answers that drip or never come, three quarters        TestSlowAnswersOfTheMajorityDelayNobodyForLong
//	answers never asked for, wrong nonces, odd fields      TestAnswersThatNobodyAskedForAreDropped
//	node IDs ground round a key, in one network            TestGroundNodesOfOneNetworkHideNoPipe
//	a wrong advertisement for an ID                        TestAFalseAdvertisementStopsNoBinder
//	lists of closer nodes: ghosts, thousands, itself,      TestListsOfCloserNodesFullOfNonsenseCostLittle
//	  real nodes at false addresses
//	binders that answer garbage, late, or `moved` falsely  TestBindersThatAnswerNonsenseFailTheDialAlone
//	binders that name each other without end               TestMovesInACircleEnd
//
// Lie makes a node of a world such a liar, for tests elsewhere.
package hostile
